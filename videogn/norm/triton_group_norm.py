"""GroupNorm (+ sum) (+ ReLU) by Triton kernels, for activations with channels innermost; loads Triton.

Where a group fits on chip, the forward pass reads and writes the activations once, and the backward pass reads once
what it needs. Larger groups are read twice in each pass, once for the statistics or sums and once for the result: a
kernel that does not hold a group cannot do with less. What is kept for the backward pass is the input and, with a sum
and ReLU, the output, which the layer behind keeps as well.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from videogn.norm import group_norm_kernels as kernels

#: Types that the kernels read and write.
_TYPES = (torch.float32, torch.bfloat16, torch.float16)
# None of the following numbers was measured.
#: Elements of a tile, which four warps hold: 32 numbers a thread.
_TILE = 4096
#: Largest number of elements of a group that one program holds, and least number of bytes that its channels have side
#: by side: memory comes in sectors of 32 bytes.
_ON_CHIP, _SECTOR = 16384, 32
#: Number of programs that blocks of positions are made for, several for each of an H100's 132 processors, as long as a
#: block has at most so many tiles.
_PROGRAMS, _STEPS = 2048, 32
#: Entries that the merging kernels add at once.
_ENTRIES = 1024


def can_normalise(x: Tensor, weight: Tensor) -> bool:
    """Whether the kernels take activations.

    Args:
        x: Activations.
        weight: Gamma, (C,).

    Returns:
        Whether x is a plain tensor (N, C, T, H, W) on CUDA (in Triton's interpreter: on a CPU), of 16 or 32 bits, not
        empty, with channels innermost, and nothing is compiled or traced.
    """
    return (
        type(x) is Tensor
        and x.ndim == 5
        and x.dtype in _TYPES
        and weight.dtype in _TYPES
        and x.device == weight.device
        and (x.is_cuda or (kernels.INTERPRETED and x.device.type == "cpu"))
        and x.is_contiguous(memory_format=torch.channels_last_3d)
        and x.numel() > 0
        and not torch.compiler.is_compiling()
        and not torch.jit.is_tracing()
    )


def can_add(x: Tensor, residual: Tensor) -> bool:
    """Whether a kernel can add `residual` to the normalised x: both are of one shape, type, device and layout."""
    return (
        type(residual) is Tensor
        and (residual.shape, residual.dtype, residual.device) == (x.shape, x.dtype, x.device)
        and residual.is_contiguous(memory_format=torch.channels_last_3d)
    )


def triton_group_norm(
    x: Tensor,
    groups: int,
    weight: Tensor,
    bias: Tensor,
    eps: float = 1e-5,
    *,
    residual: Tensor | None = None,
    relu: bool = False,
) -> Tensor:
    """Compute relu(GroupNorm(x) + residual), each part as far as it is asked for.

    Gradients are deterministic, and those of first order only. ReLU's is 0 where its input is 0.

    Args:
        x: Activations (N, C, T, H, W) that `can_normalise` takes.
        groups: Number of groups G.
        weight: Gamma, (C,).
        bias: Beta, (C,).
        eps: Constant added to the variance. Default: 1e-5.
        residual: What is added, as `can_add` takes it. Default: nothing.
        relu: Whether ReLU follows. Default: False.

    Returns:
        Activations of the same shape, dtype and layout. Statistics and sums are float32.
    """
    result: Tensor = _GroupNorm.apply(x, weight, bias, residual, groups, eps, relu)
    return result


class _GroupNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        residual: Tensor | None,
        groups: int,
        eps: float,
        relu: bool,
    ) -> Tensor:
        y = torch.empty_like(x, memory_format=torch.channels_last_3d)
        mean, rstd = torch.empty((2, len(x), groups), dtype=torch.float32, device=x.device)
        weight, bias = weight.contiguous(), bias.contiguous()
        with torch.cuda.device_of(x):
            _forward(
                x, x if residual is None else residual, y, weight, bias, mean, rstd, eps, relu, residual is not None
            )
        ctx.groups, ctx.relu, ctx.residual = groups, relu, residual is not None
        ctx.save_for_backward(x, y if relu and ctx.residual else None, weight, bias, mean, rstd)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, y, weight, bias, mean, rstd = ctx.saved_tensors
        dy = dy.contiguous(memory_format=torch.channels_last_3d)
        dx = torch.empty_like(x, memory_format=torch.channels_last_3d)
        masked = ctx.relu and ctx.residual
        dresidual = torch.empty_like(dx) if masked else dy
        with torch.cuda.device_of(x):
            sums = _backward(x, y if masked else x, dy, dx, dresidual, weight, bias, mean, rstd, ctx.relu, ctx.residual)
        of_weight, of_bias = sums.sum(1) if any(ctx.needs_input_grad[1:3]) else (None, None)
        return (
            dx,
            None if of_weight is None else of_weight.to(weight.dtype),
            None if of_bias is None else of_bias.to(bias.dtype),
            dresidual if ctx.residual else None,
            *(None,) * 3,
        )


def _forward(
    x: Tensor, residual: Tensor, y: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, rstd: Tensor, eps: float,
    relu: bool, with_residual: bool,
) -> None:  # fmt: skip
    number, channels, groups, positions = len(x), x.shape[1], mean.shape[1], x[0, 0].numel()
    forms: Any = {"C": channels, "GROUPS": groups, "RELU": relu, "RESIDUAL": with_residual}
    whole = _whole_groups(x, positions, channels // groups)
    if whole is not None:
        kernels.normalise_at_once[number * groups,](
            x, residual, y, weight, bias, mean, rstd, positions, eps, **forms, **whole
        )
        return
    tile, steps = _tiles(number, positions, channels)
    across = triton.cdiv(channels, tile["BLOCK_C"])
    rows = steps * tile["BLOCK_P"]
    blocks = triton.cdiv(positions, rows)
    means, squares = torch.empty((2, number, blocks, channels), dtype=torch.float32, device=x.device)
    kernels.moments[number * blocks, across](x, means, squares, positions, blocks, steps, C=channels, **tile)
    kernels.merge_moments[number * groups,](
        means, squares, mean, rstd, positions, blocks, rows, eps, C=channels, GROUPS=groups, BLOCK=_ENTRIES
    )
    blocks = triton.cdiv(positions, tile["BLOCK_P"])
    kernels.normalise[number * blocks, across](
        x, residual, y, weight, bias, mean, rstd, positions, blocks, **forms, **tile
    )


def _backward(
    x: Tensor, y: Tensor, dy: Tensor, dx: Tensor, dresidual: Tensor, weight: Tensor, bias: Tensor, mean: Tensor,
    rstd: Tensor, relu: bool, with_residual: bool,
) -> Tensor:  # fmt: skip
    """Fill in dx and dresidual; return sums (2, *, C), which make the gradients of gamma and beta."""
    number, channels, groups, positions = len(x), x.shape[1], mean.shape[1], x[0, 0].numel()
    forms: Any = {"C": channels, "GROUPS": groups, "RELU": relu, "RESIDUAL": with_residual}
    whole = _whole_groups(x, positions, channels // groups)
    if whole is not None:
        sums = torch.empty((2, number, channels), dtype=torch.float32, device=x.device)
        kernels.differentiate_at_once[number * groups,](
            x, y, dy, dx, dresidual, weight, bias, mean, rstd, sums, positions, sums[0].numel(), **forms, **whole
        )
        return sums
    tile, steps = _tiles(number, positions, channels)
    across = triton.cdiv(channels, tile["BLOCK_C"])
    blocks = triton.cdiv(positions, steps * tile["BLOCK_P"])
    sums = torch.empty((2, number * blocks, channels), dtype=torch.float32, device=x.device)
    stride = sums[0].numel()
    kernels.sum_gradients[number * blocks, across](
        x, y, dy, weight, bias, mean, rstd, sums, positions, blocks, steps, stride, **forms, **tile
    )
    shares = torch.empty((number, groups, 2), dtype=torch.float32, device=x.device)
    kernels.merge_gradients[number * groups,](
        sums, weight, shares, positions, blocks, stride, C=channels, GROUPS=groups, BLOCK=_ENTRIES
    )
    blocks = triton.cdiv(positions, tile["BLOCK_P"])
    kernels.differentiate[number * blocks, across](
        x, y, dy, dx, dresidual, weight, bias, mean, rstd, shares, positions, blocks, **forms, **tile
    )
    return sums


def _whole_groups(x: Tensor, positions: int, size: int) -> dict[str, int] | None:
    """Tile that holds a group of `size` channels, and its warps; None where none should."""
    rows, columns = triton.next_power_of_2(positions), triton.next_power_of_2(size)
    if rows * columns > _ON_CHIP or (size * x.element_size() < _SECTOR and positions > 1):
        return None
    return {"BLOCK_P": rows, "BLOCK_C": columns, "num_warps": max(4, min(16, rows * columns // 1024))}


def _tiles(number: int, positions: int, channels: int) -> tuple[dict[str, int], int]:
    """A tile of activations, and how many of them a program adds up."""
    columns = min(triton.next_power_of_2(channels), 256)
    rows = min(_TILE // columns, triton.next_power_of_2(positions))
    tiles = number * triton.cdiv(positions, rows) * triton.cdiv(channels, columns)
    return {"BLOCK_P": rows, "BLOCK_C": columns}, max(1, min(tiles // _PROGRAMS, _STEPS))
