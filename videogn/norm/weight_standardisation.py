"""Weight standardisation of convolutions (Qiao et al. 2019, arXiv 1903.10520, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videogn.norm.pytorch_layers import number_of_groups
from videogn.norm.running_statistics import at_least_float32

#: Constant added to the variance of a filter, the same as in a norm.
_EPS = 1e-5


def standardise_weight(weight: Tensor, eps: float = _EPS) -> Tensor:
    """Give every filter mean 0 and variance 1.

        w^_o = (w_o - mu_o) / sqrt(var_o + eps)

    mu_o and the biased var_o are over the I = C_in x t x h x w weights of output channel o. This is timm's form. The
    authors' released code divides by the unbiased standard deviation + 1e-5 instead.

    Args:
        weight: Weights, (C_out, C_in, t, h, w).
        eps: Constant added to the variance. Default: 1e-5.

    Returns:
        Weights of the same shape and dtype, computed in float32 or wider.
    """
    wide = at_least_float32(weight)
    variance, mean = torch.var_mean(wide, dim=(1, 2, 3, 4), correction=0, keepdim=True)
    return ((wide - mean) * torch.rsqrt(variance + eps)).to(weight.dtype)


class WeightStandardisedConv3d(nn.Conv3d):
    """`nn.Conv3d` with standardised weights. The parameter `weight` holds them before standardisation."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C_in, T, H, W) -> (N, C_out, T', H', W')."""
        return self._conv_forward(input, standardise_weight(self.weight), self.bias)


class WeightStandardisedGroupNorm(nn.GroupNorm):
    """GroupNorm for networks whose convolutions have standardised weights.

    Args:
        num_channels: Number of channels C.
        groups, channels_per_group, max_groups: Number of groups G, given as for `group_norm`. Default: 32 groups.
        eps: Constant added to the variance of the positions. Default: 1e-5.

    Raises:
        ValueError: Two of the options are given, one is not positive, or it does not divide C.
    """

    #: The convolution that a network with this norm is built from.
    conv = WeightStandardisedConv3d

    def __init__(
        self,
        num_channels: int,
        *,
        groups: int | None = None,
        channels_per_group: int | None = None,
        max_groups: int | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(number_of_groups(num_channels, groups, channels_per_group, max_groups), num_channels, eps=eps)
