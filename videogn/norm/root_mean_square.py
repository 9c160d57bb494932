"""GroupNorm without centring."""

from __future__ import annotations

import torch
from torch import Tensor

from videogn.norm.frozen import ChannelAffine
from videogn.norm.pytorch_layers import number_of_groups


class RMSGroupNorm(ChannelAffine):
    """GroupNorm that divides by the root of the mean square (RMSNorm: Zhang and Sennrich 2019, arXiv 1910.07467).

        y = gamma x / sqrt(mean_i(x^2) + eps) + beta,  S_i as of GroupNorm

    The mean of a group stays. It tells what of GroupNorm is due to centring. timm's `RmsNorm2d` is another norm, with
    the mean over the channels of one position.

    Args:
        num_channels: Number of channels C.
        groups, channels_per_group, max_groups: Number of groups G, given as for `group_norm`. Default: 32 groups.
        eps: Constant added to the mean square. Default: 1e-5.

    Raises:
        ValueError: Two of the options are given, one is not positive, or it does not divide C.
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
        super().__init__(num_channels)
        self.num_groups = number_of_groups(num_channels, groups, channels_per_group, max_groups)
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape and dtype; the mean square in float32 or wider, gamma over its root not."""
        grouped = x.reshape(x.shape[0], self.num_groups, -1)
        # In float32 without a copy of x in it, and gamma in the small factor: of large tensors only x is kept.
        root = torch.linalg.vector_norm(grouped, dim=2, dtype=torch.promote_types(x.dtype, torch.float32))
        factor = torch.rsqrt(root.square() / grouped.shape[2] + self.eps)  # (N, G)
        factor = (factor[:, :, None] * self.weight.view(self.num_groups, -1)).flatten(1)  # (N, C)
        ones = [1] * (x.ndim - 2)
        bias = self.bias.to(x.dtype).view(-1, *ones)
        return torch.addcmul(bias, x, factor.to(x.dtype).view(*factor.shape, *ones))

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return f"{super().extra_repr()}, groups={self.num_groups}, eps={self.eps}"
