"""Running statistics: what the norms over batches keep besides gamma and beta."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RunningStatistics(nn.Module):
    """Gamma, beta, running mean and running variance of every channel, in `nn.BatchNorm3d`'s state-dict keys.

    It is no subclass of PyTorch's BatchNorm on purpose: tools that convert every BatchNorm they find (to SyncBatchNorm,
    for instance) would silently replace these norms. A layer whose statistics are estimated in training has an
    attribute `momentum`; one that keeps them fixed has none.

    Args:
        num_channels: C.
        eps: added to the variance.
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
        """What `print(layer)` shows."""
        return f"{self.num_channels}, eps={self.eps}"


def update_factor(momentum: float | None, num_batches_tracked: Tensor) -> float:
    """Weight of the newest batch in the running statistics, as `nn.BatchNorm3d` has it.

    Args:
        momentum: None for the plain average of all batches so far.
        num_batches_tracked: batches so far, the newest included.

    Returns:
        The weight.
    """
    return 1.0 / float(num_batches_tracked) if momentum is None else momentum


def at_least_float32(x: Tensor) -> Tensor:
    """Half-precision tensors as float32, all others as they are; for statistics."""
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x


def batch_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and biased variance of every channel over (N, T, H, W), without a gradient.

    Args:
        x: (N, C, T, H, W).

    Returns:
        Mean (C,) and variance (C,), in float32 or wider.
    """
    variance, mean = torch.var_mean(at_least_float32(x.detach()), dim=(0, 2, 3, 4), correction=0)
    return mean, variance
