"""The base class of norms with running statistics, and the moments of a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningStatistics(nn.Module):
    """Gamma, beta, running mean and running variance of every channel, in `nn.BatchNorm3d`'s state-dict keys.

    It is not a subclass of PyTorch's BatchNorm on purpose: tools that convert every BatchNorm (to SyncBatchNorm, for
    instance) would silently replace these norms. A layer that updates its statistics in training has an attribute
    `momentum`; a layer with fixed statistics has none.

    Args:
        num_channels: Number of channels C.
        eps: Constant added to the variance.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, num_channels: int, *, eps: float) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.register_buffer("running_mean", torch.zeros(num_channels))
        self.register_buffer("running_var", torch.ones(num_channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0, dtype=torch.long))

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return f"{self.num_channels}, eps={self.eps}"


def update_factor(momentum: float | None, num_batches_tracked: Tensor) -> float:
    """Return the weight of the newest batch in the running statistics, as in `nn.BatchNorm3d`.

    Args:
        momentum: The weight, or None for the plain average of all batches so far.
        num_batches_tracked: Number of batches so far, the newest included.
    """
    return 1.0 / float(num_batches_tracked) if momentum is None else momentum


def at_least_float32(x: Tensor) -> Tensor:
    """Convert half-precision tensors to float32, for statistics; others stay as they are."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def batch_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Compute mean and biased variance per channel over (N, T, H, W), without gradients.

    Args:
        x: Features, (N, C, T, H, W), or with other axes than those three.

    Returns:
        Mean (C,) and variance (C,), float32 or wider.
    """
    axes = (0, *range(2, x.ndim))
    variance, mean = torch.var_mean(at_least_float32(x.detach()), dim=axes, correction=0)
    return mean, variance
