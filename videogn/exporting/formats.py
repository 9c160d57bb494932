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
from videogn.exporting.openvino_model import openvino_metadata, run_openvino, save_openvino, to_openvino
from videogn.exporting.torch_program import program_metadata, run_program, save_program, to_program


class Format(NamedTuple):
    """A format of exported files.

    Attributes:
        suffix: Suffix of its files.
        convert: Translates a graph; what it returns is for `save` alone.
        save: Writes what `convert` made, with the metadata, to a path; may write other files beside it.
        run: Opens what was written, as a function from its input to its output, tensors on the CPU.
        metadata: Reads the metadata of what was written.
        packages: Packages that it needs, in the extra of its name; none if it needs no more than videogn does.
    """

    suffix: str
    convert: Callable[[Graph], Any]
    save: Callable[[Any, Path, str], None]
    run: Callable[[Path], Callable[[Tensor], Tensor]]
    metadata: Callable[[Path], str]
    packages: tuple[str, ...] = ()


#: Name of a format -> what writes and runs it.
FORMATS: dict[ExportFormatName, Format] = {
    "torch-export": Format(".pt2", to_program, save_program, run_program, program_metadata),
    "onnx": Format(".onnx", to_onnx, save_onnx, run_onnx, onnx_metadata, ("onnx", "onnxruntime", "onnxscript")),
    "openvino": Format(".xml", to_openvino, save_openvino, run_openvino, openvino_metadata, ("openvino",)),
}


def require_packages(name: ExportFormatName) -> None:
    """Raise ModuleNotFoundError, with the extra to install, if a format lacks a package.

    Args:
        name: Name of the format.
    """
    missing = [package for package in FORMATS[name].packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ModuleNotFoundError(f"the format {name} needs {', '.join(missing)}: pip install 'videogn[{name}]'")
