"""The table of formats."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from videogn.choices import ExportFormatName
from videogn.engine_files.onnx_file import describe_onnx, open_onnx
from videogn.engine_files.openvino_file import describe_openvino, open_openvino
from videogn.engine_files.torch_export_file import describe_torch_export, open_torch_export
from videogn.exporting.graph import Graph
from videogn.exporting.onnx_file import save_onnx, to_onnx
from videogn.exporting.openvino_model import save_openvino, to_openvino
from videogn.exporting.torch_program import save_program, to_program
from videogn.source_names import ENGINE_SUFFIXES


class Format(NamedTuple):
    """A format of exported files.

    Attributes:
        convert: Translates a graph; what it returns is for `save` alone.
        save: Writes what `convert` made, with the metadata, to a path; may write other files beside it.
        run: Opens what was written, as a function from its input to its output, tensors on the CPU.
        metadata: Reads the metadata of what was written.
        packages: Packages that it needs, in the extra of its name; none if it needs no more than videogn does.
    """

    convert: Callable[[Graph], Any]
    save: Callable[[Any, Path, str], None]
    run: Callable[[Path], Callable[[Tensor], Tensor]]
    metadata: Callable[[Path], str | None]
    packages: tuple[str, ...] = ()


#: Name of a format -> what writes and runs it.
FORMATS: dict[ExportFormatName, Format] = {
    "torch-export": Format(to_program, save_program, open_torch_export, describe_torch_export),
    "onnx": Format(to_onnx, save_onnx, open_onnx, describe_onnx, ("onnx", "onnxruntime", "onnxscript")),
    "openvino": Format(to_openvino, save_openvino, open_openvino, describe_openvino, ("openvino",)),
}


def require_packages(name: ExportFormatName) -> None:
    """Raise ModuleNotFoundError, with the extra to install, if a format lacks a package.

    Args:
        name: Name of the format.
    """
    missing = [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ModuleNotFoundError(f"the format {name} needs {', '.join(missing)}: pip install 'videogn[{name}]'")


def check_suffix(name: ExportFormatName, out: str | Path) -> None:
    """Raise ValueError unless a file to write has the suffix of its format.

    Args:
        name: Name of the format.
        out: The file.
    """
    suffix = ENGINE_SUFFIXES[name]
    if Path(out).suffix != suffix:
        raise ValueError(f"the file of the format {name} must end with {suffix}, got {out}")
