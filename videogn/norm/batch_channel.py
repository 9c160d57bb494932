"""Batch-channel normalisation (Qiao et al. 2019, arXiv 1903.10520 and 1911.09738)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.norm.pytorch_layers import number_of_groups
from videogn.norm.running_statistics import RunningStatistics, batch_moments, update_factor


class BatchChannelNorm3d(RunningStatistics):
    """Normalisation by estimated batch statistics, then GroupNorm: the papers' form for small batches.

        m <- m + a (m_B - m),  v <- v + a (mean_B (x - m)^2 - v)        in training only, without a gradient
        z = gamma_b (x - m) / sqrt(v + eps) + beta_b
        y = gamma GN(z) + beta

    The estimates m and v already include the batch of this forward pass (the order of the papers' algorithm; the
    released code measures v about the previous m). They are constants to the gradient, so that training depends on the
    batch in no other way; evaluation only stops updating them. gamma and beta are per channel, as in every norm here;
    the released code has one pair per group, a special case. The papers add weight standardisation, which is not part
    of this norm.

    Args:
        num_channels: Number of channels C.
        groups, channels_per_group, max_groups: Number of groups G, given as for `group_norm`. Default: 32 groups.
        momentum: Update rate a of the estimates; None for their plain average. Default: 0.1.
        eps: Constant added to both variances. Default: 1e-5.

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
        momentum: float | None = 0.1,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(num_channels, eps=eps)
        self.num_groups = number_of_groups(num_channels, groups, channels_per_group, max_groups)
        self.momentum = momentum
        self.batch_weight = nn.Parameter(torch.ones(num_channels))
        self.batch_bias = nn.Parameter(torch.zeros(num_channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape."""
        if self.training:
            self._update(x)
        # Copies: a later forward pass changes the estimates, which this one's backward pass still needs.
        mean, variance = self.running_mean.clone(), self.running_var.clone()
        z = F.batch_norm(x, mean, variance, self.batch_weight, self.batch_bias, False, 0.0, self.eps)
        return F.group_norm(z, self.num_groups, self.weight, self.bias, self.eps)

    @torch.no_grad()
    def _update(self, x: Tensor) -> None:
        self.num_batches_tracked.add_(1)
        factor = update_factor(self.momentum, self.num_batches_tracked)
        mean, variance = batch_moments(x)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), factor)
        about_estimate = variance + (mean - self.running_mean) ** 2  # mean_B (x - m)^2
        self.running_var.lerp_(about_estimate.to(self.running_var.dtype), factor)

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return f"{super().extra_repr()}, groups={self.num_groups}, momentum={self.momentum}"
