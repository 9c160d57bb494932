"""EvoNorm-S0 (Liu et al. 2020, arXiv 2004.02967), a norm and an activation in one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from videogn.norm.frozen import ChannelAffine
from videogn.norm.pytorch_layers import number_of_groups
from videogn.norm.running_statistics import at_least_float32


class EndOfBranch(ChannelAffine):
    """What is left of EvoNorm-S0 where no activation follows: y = gamma x + beta.

    Args:
        num_channels: Number of channels C.
    """


class EvoNormS03d(nn.Module):
    """EvoNorm-S0 over (C/G, T, H, W), with S_i = {k : k_N = i_N, floor(k_C / (C/G)) = floor(i_C / (C/G))}:

        y = gamma x sigmoid(v x) / sqrt(var_i + eps) + beta

    It takes the place of a norm and of the ReLU behind it. var_i is the biased variance over S_i; the numerator is not
    centred. v, gamma and beta are per channel, and v starts at 1. Where no activation follows (at the end of a branch,
    and behind a projection) the authors' networks have gamma x + beta, and a plain ReLU after the sum (their code:
    tensorflow/tpu, models/official/resnet).

    A group whose values hardly differ is divided by nearly sqrt(eps), mean and all: its output is large.

    Args:
        num_channels: Number of channels C.
        groups, channels_per_group, max_groups: Number of groups G, given as for `group_norm`. Default: 32 groups.
        eps: Constant added to the variance. Default: 1e-5.

    Raises:
        ValueError: Two of the options of groups are given, one is not positive, or it does not divide C.
    """

    def __init__(
        self,
        num_channels: int,
        *,
        groups: int | None = None,
        channels_per_group: int | None = None,
        max_groups: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__()
        self.num_groups = number_of_groups(num_channels, groups, channels_per_group, max_groups)
        self.num_channels, self.eps = num_channels, eps
        self.weight = nn.Parameter(torch.ones(num_channels))
        self.bias = nn.Parameter(torch.zeros(num_channels))
        self.v = nn.Parameter(torch.ones(num_channels))

    @staticmethod
    def activation(num_channels: int) -> nn.Module:
        """None: the norm is one."""
        return nn.Identity()

    @staticmethod
    def last(num_channels: int, **options: Any) -> nn.Module:
        """Make the layer at the end of a branch."""
        return EndOfBranch(num_channels)

    shortcut = last

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype; the variance in float32 or wider, gamma over its root not."""
        shape = (-1, *[1] * (x.ndim - 2))
        grouped = at_least_float32(x).unflatten(1, (self.num_groups, -1))  # (N, G, C/G, T, H, W)
        variance = grouped.var(dim=tuple(range(2, grouped.ndim)), correction=0, keepdim=True)
        inverse = torch.rsqrt(variance + self.eps).expand(-1, -1, grouped.shape[2], *shape[1:]).flatten(1, 2)
        scale = (inverse * self.weight.view(shape)).to(x.dtype)  # (N, C, 1, 1, 1)
        return x * torch.sigmoid(x * self.v.to(x.dtype).view(shape)) * scale + self.bias.to(x.dtype).view(shape)

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return f"{self.num_channels}, groups={self.num_groups}, eps={self.eps}"
