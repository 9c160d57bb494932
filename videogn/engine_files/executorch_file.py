"""ExecuTorch's files, run by its Python bindings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from videogn.engine_files.description import METADATA_KEY
from videogn.engine_files.network import Run


def describe_executorch(path: Path) -> str | None:
    """Read the metadata of a file of ExecuTorch; None if it has none.

    Args:
        path: File, .pte.

    Raises:
        ValueError: ExecuTorch cannot read it.
    """
    program = _program(path)
    if METADATA_KEY not in program.method_names:
        return None
    text: str = program.load_method(METADATA_KEY).execute([])[0]
    return text


def open_executorch(path: Path) -> Run:
    """Open a file of ExecuTorch.

    Args:
        path: File, .pte.

    Returns:
        What runs its graph.

    Raises:
        ValueError: ExecuTorch cannot read it.
    """
    forward = _program(path).load_method("forward")

    def run(clips: Tensor) -> Tensor:
        output: Tensor = forward.execute([clips])[0]
        return output

    return run


def _program(path: Path) -> Any:
    from executorch.runtime import Runtime

    try:
        return Runtime.get().load_program(path)
    except RuntimeError as error:
        raise ValueError(f"{path} is no file that ExecuTorch can run: {error}") from error
