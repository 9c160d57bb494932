"""The number formats that autocast chooses on a CUDA device, for tensors that are on none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map_only


class CudaAutocast(TorchFunctionMode):
    """Context in which the CPU's autocast has CUDA's rules, where an operation of ours has another one.

    group_norm runs in float32 on CUDA ("CUDA Ops that can autocast to float32" in PyTorch's documentation of autocast)
    and in the lower precision on the CPU; avg_pool3d the other way round.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run the operation with CUDA's formats."""
        kwargs = kwargs or {}
        if not torch.is_autocast_enabled("cpu") or func not in (F.group_norm, F.avg_pool3d):
            return func(*args, **kwargs)
        if func is F.group_norm:
            args, kwargs = tree_map_only(Tensor, Tensor.float, (args, kwargs))
        with torch.autocast("cpu", enabled=False):
            return func(*args, **kwargs)
