"""Norms that compute no statistics: stored ones, and none at all."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.norm.running_statistics import RunningStatistics


class FrozenBatchNorm3d(RunningStatistics):
    """BatchNorm with stored statistics in training and evaluation alike; gamma and beta are trained.

        y = gamma (x - running_mean) / sqrt(running_var + eps) + beta

    It is meant for weights that come with statistics; without them the mean is 0 and the variance 1. The state-dict
    keys are those of `nn.BatchNorm3d`.

    Args:
        num_channels: Number of channels C.
        eps: Constant added to the variance. Default: 1e-5.
    """

    def __init__(self, num_channels: int, *, eps: float = 1e-5) -> None:
        super().__init__(num_channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape."""
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)


class ChannelAffine(nn.Module):
    """No norm: y = gamma x + beta per channel, so that zero-initialisation and parameter groups stay those of a norm.

    Args:
        num_channels: Number of channels C.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_channels = num_channels
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype."""
        shape = (-1, *[1] * (x.ndim - 2))
        return x * self.weight.to(x.dtype).view(shape) + self.bias.to(x.dtype).view(shape)

    def extra_repr(self) -> str:
        """Number of channels, for `print(layer)`."""
        return f"{self.num_channels}"
