"""ExecuTorch's files, run by its Python bindings."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from videogn.engine_files.network import Run


def describe_executorch(path: Path) -> str | None:
    """Read the metadata of a file of ExecuTorch, which is in a file beside it; None if there is none.

    Args:
        path: File, .pte.
    """
    beside = path.with_suffix(".json")
    return beside.read_text(encoding="utf-8") if beside.is_file() else None


def open_executorch(path: Path) -> Run:
    """Open a file of ExecuTorch.

    Args:
        path: File, .pte.

    Returns:
        What runs its graph.

    Raises:
        ValueError: ExecuTorch cannot read it.
    """
    from executorch.runtime import Runtime

    try:
        forward = Runtime.get().load_program(path).load_method("forward")
    except RuntimeError as error:
        raise ValueError(f"{path} is no file that ExecuTorch can run: {error}") from error

    def run(clips: Tensor) -> Tensor:
        output: Tensor = forward.execute([clips])[0].clone()  # the next clips are computed in the same memory
        return output

    return run
