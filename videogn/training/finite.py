"""Whether numbers are finite, found on the device that holds them."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def all_finite(tensors: Iterable[Tensor], device: torch.device) -> Tensor:
    """Tell whether tensors hold neither NaN nor infinity, without making the host wait for the device.

    Args:
        tensors: Tensors of any shapes; those of integers are finite.
        device: Device of the answer.

    Returns:
        True or False, of shape ().
    """
    floats = [tensor.detach() for tensor in tensors if tensor.is_floating_point() and tensor.numel()]
    if not floats:
        return torch.tensor(True, device=device)
    # The largest magnitude, since a sum of squares overflows.
    return torch.isfinite(nn.utils.get_total_norm(floats, math.inf)).to(device)
