"""Adaptive gradient clipping (Brock et al. 2021, arXiv 2102.06171)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

#: Length of a unit's weights that shorter ones count as.
_LEAST_WEIGHTS = 1e-3
#: Length of a unit's gradient that shorter ones count as, against a division by 0.
_LEAST_GRADIENT = 1e-6


def clip_adaptively(parameters: Iterable[nn.Parameter], share: float) -> None:
    """Scale down the gradient of every output unit that is long compared with the unit's weights.

        g_u <- g_u min(1, share max(|w_u|, least) / |g_u|),  least = 1e-3

    A unit is what one output is made with: a row of a matrix, a filter of a convolution of any number of dimensions. A
    tensor of one dimension, such as gamma or beta, is one unit, as in the authors' code and timm's; but here its least
    is the length of a vector of ones, that of a gamma which changes nothing. With 1e-3 a gamma that starts at 0 would
    move by less than `share` times the learning rate times 1e-3 in a step, and the branches of a network would stay
    closed for thousands of steps at the learning rates of small batches.

    Args:
        parameters: Parameters; those without a gradient are left out. The gradients are changed.
        share: Largest length of a gradient as a share of the weights', > 0; 0.01 in the paper.

    Example:
        >>> import torch
        >>> weight = torch.nn.Parameter(torch.tensor([[3.0, 4.0], [3.0, 4.0]]))
        >>> weight.grad = torch.tensor([[0.03, 0.04], [3.0, 4.0]])
        >>> clip_adaptively([weight], 0.1)  # the second gradient is as long as its weights
        >>> weight.grad
        tensor([[0.0300, 0.0400],
                [0.3000, 0.4000]])
    """
    for parameter in parameters:
        if parameter.grad is not None:
            least = _LEAST_WEIGHTS if parameter.ndim > 1 else math.sqrt(parameter.numel())
            longest = share * _lengths(parameter.detach()).clamp(min=least)
            parameter.grad.mul_((longest / _lengths(parameter.grad).clamp(min=_LEAST_GRADIENT)).clamp(max=1))


def _lengths(x: Tensor) -> Tensor:
    """Lengths of the units, in a shape that multiplies x; in float32 or wider, as squares of float16 overflow."""
    axes = tuple(range(1, x.ndim)) or None
    return torch.linalg.vector_norm(x, dim=axes, keepdim=True, dtype=torch.promote_types(x.dtype, torch.float32))
