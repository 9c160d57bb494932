"""The table of formats."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from videogn.choices import ExportFormatName
from videogn.exporting.graph import Graph
from videogn.exporting.onnx_file import onnx_metadata, run_onnx, save_onnx, to_onnx


class Format(NamedTuple):
    """A format of exported files.

    Attributes:
        convert: Translates a graph; what it returns is for `save` alone.
        save: Writes what `convert` made, with the metadata, to a path; may write other files beside it.
        run: Opens what was written, as a function from its input to its output, tensors on the CPU.
        metadata: Reads the metadata of what was written.
        extra: Extra of videogn that the format needs, or None.
        packages: Packages of that extra, as they are imported.
    """

    convert: Callable[[Graph], Any]
    save: Callable[[Any, Path, str], None]
    run: Callable[[Path], Callable[[Tensor], Tensor]]
    metadata: Callable[[Path], str]
    extra: str | None = None
    packages: tuple[str, ...] = ()


#: Name of a format -> what writes and runs it.
FORMATS: dict[ExportFormatName, Format] = {
    "onnx": Format(to_onnx, save_onnx, run_onnx, onnx_metadata, "onnx", ("onnx", "onnxruntime", "onnxscript")),
}


def require_packages(name: ExportFormatName) -> None:
    """Raise ModuleNotFoundError, with the extra to install, if a format lacks a package.

    Args:
        name: Name of the format.
    """
    form = FORMATS[name]
    missing = [package for package in form.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ModuleNotFoundError(f"--format {name} needs {', '.join(missing)}: pip install 'videogn[{form.extra}]'")
