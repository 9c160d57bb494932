"""Functions of single values in the place of a norm: no statistics, and so no set of positions."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videogn.norm.frozen import ChannelAffine


class DynamicTanh(ChannelAffine):
    """DyT (Zhu et al. 2025, arXiv 2503.10622): y = gamma tanh(alpha x) + beta, with one alpha for all channels.

    The paper replaces LayerNorm in transformers with it, and says of BatchNorm in classic ConvNets that it cannot be
    replaced without a loss.

    Args:
        num_channels: Number of channels C.
        alpha: Initial alpha. Default: 0.5.
    """

    def __init__(self, num_channels: int, *, alpha: float = 0.5) -> None:
        super().__init__(num_channels)
        self.alpha = nn.Parameter(torch.full((1,), float(alpha)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype."""
        return super().forward(torch.tanh(self.alpha.to(x.dtype) * x))


class DynamicErf(ChannelAffine):
    """Derf (Chen et al. 2025, arXiv 2512.10938): y = gamma erf(alpha x + s) + beta, alpha and s of all channels.

    Args:
        num_channels: Number of channels C.
        alpha: Initial alpha. Default: 0.5.
        shift: Initial s. Default: 0.
    """

    def __init__(self, num_channels: int, *, alpha: float = 0.5, shift: float = 0.0) -> None:
        super().__init__(num_channels)
        self.alpha = nn.Parameter(torch.full((1,), float(alpha)))
        self.shift = nn.Parameter(torch.full((1,), float(shift)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype."""
        return super().forward(torch.erf(self.alpha.to(x.dtype) * x + self.shift.to(x.dtype)))
