"""Weight standardisation of convolutions (Qiao et al. 2019, arXiv 1903.10520, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videogn.norm.running_statistics import at_least_float32

#: Added to the variance of a filter, as to that of a norm.
_EPS = 1e-5


def standardise_weight(weight: Tensor, eps: float = _EPS) -> Tensor:
    """Give every filter mean 0 and variance 1.

        w^_o = (w_o - mu_o) / sqrt(var_o + eps)

    mu_o and the biased var_o are over the I = C_in x t x h x w weights of output channel o (the paper's equations for
    mu and sigma, with eps under the root).

    Args:
        weight: (C_out, C_in, t, h, w).
        eps: added to the variance.

    Returns:
        The same shape and number format; computed in float32 or wider.
    """
    wide = at_least_float32(weight)
    variance, mean = torch.var_mean(wide, dim=(1, 2, 3, 4), correction=0, keepdim=True)
    return ((wide - mean) * torch.rsqrt(variance + eps)).to(weight.dtype)


class WeightStandardisedConv3d(nn.Conv3d):
    """`nn.Conv3d` with the standardised weight; the parameter `weight` is the one before standardisation."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C_in, T, H, W) -> (N, C_out, T', H', W')."""
        return self._conv_forward(input, standardise_weight(self.weight), self.bias)
