"""Two norms that compute no statistics: stored ones, and none at all."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.norm.running_statistics import RunningStatistics


class FrozenBatchNorm3d(RunningStatistics):
    """BatchNorm with the statistics it was given, in training as in evaluation; gamma and beta are trained.

    y = gamma (x - running_mean) / sqrt(running_var + eps) + beta. The state-dict keys are `nn.BatchNorm3d`'s.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


class ChannelAffine(nn.Module):
    """y = gamma x + beta for every channel, without statistics.

    Args:
        num_channels: C.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and number format."""
        gamma, beta = self.weight.to(x.dtype), self.bias.to(x.dtype)
        return x * gamma[:, None, None, None] + beta[:, None, None, None]

    def extra_repr(self) -> str:
        """What `print(layer)` shows."""
        return f"{self.num_channels}"
