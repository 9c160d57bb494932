"""The rules of CUDA's mixed precision, where there is no GPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.library import fallthrough_kernel
from torch.utils._pytree import tree_map_only

#: Operations that CUDA's autocast runs in float32, and the CPU's in the format of their input.
IN_FLOAT32 = (torch.ops.aten.group_norm.default, torch.ops.aten.layer_norm.default, torch.ops.aten.softmax.int)
#: Operations that the CPU's autocast runs in float32, and CUDA's in the format of their input.
AS_THEY_COME = (
    torch.ops.aten.max_pool3d.default,
    torch.ops.aten.avg_pool3d.default,
    torch.ops.aten.adaptive_avg_pool3d.default,
    torch.ops.aten.adaptive_max_pool3d.default,
)


@contextmanager
def cuda_autocast(device: str) -> Iterator[None]:
    """Let the CPU's autocast convert what CUDA's converts, as far as networks for videos differ between the two.

    See "Autocast Op Reference" in PyTorch's documentation. The rules are for tensors without storage: the CPU lacks
    some of the kernels.

    Args:
        device: Device whose rules hold meanwhile: cuda, or cpu for no change.
    """
    if device != "cuda":
        yield
        return
    rules = torch.library.Library("aten", "IMPL")
    try:
        for operation in IN_FLOAT32:
            rules.impl(operation, functools.partial(_in_float32, operation), "AutocastCPU")
        for operation in AS_THEY_COME:
            rules.impl(operation, fallthrough_kernel, "AutocastCPU")
        yield
    finally:
        rules._destroy()


def _in_float32(operation: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    with torch.autocast("cpu", enabled=False):
        return operation(*tree_map_only(Tensor, Tensor.float, args), **tree_map_only(Tensor, Tensor.float, kwargs))
