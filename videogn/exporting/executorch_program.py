"""ExecuTorch: a .pte file for phones and small devices, its layers handed to XNNPACK; metadata in a file beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from videogn.exporting.graph import Graph

#: Memory is set aside for so many clips at once.
_MOST_CLIPS = 16


def to_executorch(graph: Graph) -> Any:
    """Lower a graph for ExecuTorch.

    Args:
        graph: The graph; only its batch may be free.

    Returns:
        The `ExecutorchProgramManager`.
    """
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    lowered = to_edge_transform_and_lower(graph.program(_MOST_CLIPS), partitioner=[XnnpackPartitioner()])
    return lowered.to_executorch()


def save_executorch(program: Any, path: Path, metadata: str) -> None:
    """Write a program, and its metadata beside it with the suffix .json.

    Args:
        program: What `to_executorch` made.
        path: File to write.
        metadata: Text of the file beside it.
    """
    path.write_bytes(program.buffer)
    path.with_suffix(".json").write_text(metadata, encoding="utf-8")


def run_executorch(path: Path) -> Callable[[Tensor], Tensor]:
    """Open a .pte file.

    Args:
        path: File.

    Returns:
        Function from the input of the file to its output.
    """
    from executorch.runtime import Runtime

    method = Runtime.get().load_program(path).load_method("forward")
    return lambda clips: method.execute([clips.contiguous()])[0].clone()


def executorch_metadata(path: Path) -> str:
    """Read the text that `save_executorch` stored.

    Args:
        path: File .pte.
    """
    return path.with_suffix(".json").read_text(encoding="utf-8")
