"""ExecuTorch: a .pte file for phones and small devices, its layers handed to XNNPACK; metadata in a file beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

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

    program = graph.program(_MOST_CLIPS).run_decompositions(
        {
            torch.ops.aten.max_pool3d.default: _max_pool,
            torch.ops.aten.avg_pool3d.default: _avg_pool,
        }
    )
    lowered = to_edge_transform_and_lower(program, partitioner=[XnnpackPartitioner()])
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


# ExecuTorch has kernels for pools over two axes only: one over three is one over (H, W), then one over T.


def _max_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0, 0),
    dilation: Sequence[int] = (1, 1, 1),
    ceil_mode: bool = False,
) -> Tensor:
    stride = stride or kernel

    def over_space(x: Tensor) -> Tensor:
        return F.max_pool2d(x, kernel[1:], stride[1:], padding[1:], dilation[1:], ceil_mode)

    def over_time(x: Tensor) -> Tensor:
        return F.max_pool2d(x, (kernel[0], 1), (stride[0], 1), (padding[0], 0), (dilation[0], 1), ceil_mode)

    return _in_steps(x, over_space, over_time)


def _avg_pool(
    x: Tensor,
    kernel: Sequence[int],
    stride: Sequence[int] = (),
    padding: Sequence[int] = (0, 0, 0),
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor: int | None = None,
) -> Tensor:
    if divisor is not None:
        raise ValueError("an average pool with a divisor of its own cannot be made of two")
    stride, more = stride or kernel, (ceil_mode, count_include_pad)

    def over_space(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, kernel[1:], stride[1:], padding[1:], *more)

    def over_time(x: Tensor) -> Tensor:
        return F.avg_pool2d(x, (kernel[0], 1), (stride[0], 1), (padding[0], 0), *more)

    return _in_steps(x, over_space, over_time)


def _in_steps(x: Tensor, over_space: Callable[[Tensor], Tensor], over_time: Callable[[Tensor], Tensor]) -> Tensor:
    """Pool (B, C, T, H, W) over H and W of (B, C T, H, W), then over T of (B, C, T, H' W')."""
    channels, frames = x.shape[1:3]
    x = over_space(x.flatten(1, 2)).unflatten(1, (channels, frames))
    size = x.shape[3:]
    return over_time(x.flatten(3)).unflatten(3, size)
