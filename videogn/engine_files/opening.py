"""The table of formats that can be opened, and the one way to open a file."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from videogn.checks import existing_path
from videogn.choices import ExportFormatName
from videogn.engine_files.description import Description, read_description
from videogn.engine_files.network import EngineNetwork, Run
from videogn.engine_files.onnx_file import describe_onnx, open_onnx
from videogn.engine_files.openvino_file import describe_openvino, open_openvino
from videogn.engine_files.torch_export_file import describe_torch_export, open_torch_export
from videogn.models.checkpoint_file import check_regular
from videogn.source_names import ENGINE_SUFFIXES


class _Format(NamedTuple):
    """How files of a format are opened.

    Attributes:
        name: Name of the format.
        describe: Reads the metadata of a file; None if it has none.
        open: Opens a file.
        package: Package that runs it, as it is installed and imported.
        weights: Suffix of the file beside it that holds the weights, or None.
    """

    name: ExportFormatName
    describe: Callable[[Path], str | None]
    open: Callable[[Path], Run]
    package: str
    weights: str | None = None


_FORMATS = {
    ENGINE_SUFFIXES[form.name]: form
    for form in (
        _Format("onnx", describe_onnx, open_onnx, "onnxruntime"),
        _Format("openvino", describe_openvino, open_openvino, "openvino", ".bin"),
        _Format("torch-export", describe_torch_export, open_torch_export, "torch"),
    )
}


def describe_engine(path: str | Path) -> Description:
    """Read what an exported file says about itself.

    Args:
        path: File that `videogn export` has written.

    Returns:
        The description.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It has another suffix, cannot be read, or does not say what it expects.
        ModuleNotFoundError: The package that runs it is missing.
    """
    path = existing_path(path)
    form = _format_of(path)
    for part in filter(os.path.lexists, engine_parts(path)):
        check_regular(part)
    return read_description(str(path), form.describe(path))


def open_engine(path: str | Path) -> EngineNetwork:
    """Open an exported file as a network. It runs on the CPU with as many threads as torch has at that moment.

    Args:
        path: File that `videogn export` has written: .onnx, .xml (OpenVINO, its .bin beside it) or .pt2 (torch.export).

    Returns:
        The network; its `description` says what the file says about itself.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: It has another suffix, cannot be opened, or does not say what it expects.
        ModuleNotFoundError: The package that runs it is missing.
    """
    description = describe_engine(path)  # first, since it is cheap
    path = existing_path(path)
    return EngineNetwork(path, _format_of(path).open(path), description)


def engine_parts(path: Path) -> tuple[Path, ...]:
    """Return an exported file and the file of its weights, if the format has one."""
    weights = _format_of(path).weights
    return (path,) if weights is None else (path, path.with_suffix(weights))


def engine_facts(path: str | Path) -> dict[str, str]:
    """Name an exported file for a result.

    Args:
        path: The file.

    Returns:
        Its path, format, SHA-256 (OpenVINO's: of the .xml and the .bin, one after the other), and what runs it.
    """
    path = existing_path(path)
    form = _format_of(path)
    digest = hashlib.sha256()
    for part in engine_parts(path):
        digest.update(part.read_bytes())
    runtime = f"{form.package} {version(form.package)}"
    return {"file": str(path), "format": form.name, "sha256": digest.hexdigest(), "runtime": runtime}


def _format_of(path: Path) -> _Format:
    form = _FORMATS.get(path.suffix.lower())
    if form is None:
        raise ValueError(f"an exported file ends in {', '.join(_FORMATS)}, got {path}")
    if importlib.util.find_spec(form.package) is None:
        raise ModuleNotFoundError(f"{path} needs {form.package}: pip install 'videogn[{form.name}]'")
    return form
