"""Batch Renormalisation (Ioffe 2017, arXiv 1702.03275, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from videogn.checks import require_at_least
from videogn.norm.running_statistics import RunningStatistics, batch_moments, update_factor


class BatchRenorm3d(RunningStatistics):
    """BatchNorm over (N, T, H, W) whose output in training is corrected towards that of the running statistics.

        y = gamma ((x - m_B) / s_B * r + d) + beta
        r = sg[clip(s_B / s, 1 / r_max, r_max)],  d = sg[clip((m_B - m) / s, -d_max, d_max)]

    m_B and s_B are the batch's mean and sqrt(biased variance + eps), m and s = sqrt(running_var + eps) the running ones
    before this batch enters them, sg stops the gradient. Evaluation uses m and s alone, like BatchNorm. With r_max = 1
    and d_max = 0 it is BatchNorm. Like PyTorch's BatchNorm, and unlike the paper, it keeps a running average of the
    unbiased variance, not of the standard deviation.

    Args:
        num_channels: Number of channels C.
        r_max: Upper bound of r, at least 1. Default: 1.5 (GN paper, section 4.1).
        d_max: Upper bound of d, at least 0. Default: 0.5 (GN paper, section 4.1).
        momentum: Weight of the newest batch in the running statistics; None for their plain average. Default: 0.1.
        warmup: Number of training forward passes in which r_max rises linearly from 1 and d_max from 0. They are
            counted by `num_batches_tracked`, which a checkpoint keeps. Default: 0.
        eps: Constant added to the variance. Default: 1e-5.

    Raises:
        ValueError: A bound is too small or not finite, or `warmup` is negative.
    """

    #: Whether r and d apply. `precise_statistics` turns them off: they draw towards the statistics to be replaced.
    corrected = True

    def __init__(
        self,
        num_channels: int,
        *,
        r_max: float = 1.5,
        d_max: float = 0.5,
        momentum: float | None = 0.1,
        warmup: int = 0,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(num_channels, eps=eps)
        require_at_least("r_max", r_max, 1)
        require_at_least("d_max", d_max, 0)
        require_at_least("warmup", warmup, 0)
        self.r_max = r_max
        self.d_max = d_max
        self.momentum = momentum
        self.warmup = warmup

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: In training, there is only one value per channel.
        """
        gamma: Tensor = self.weight
        beta: Tensor = self.bias
        if self.training and self.corrected:
            r, d = self._corrections(x)
            # gamma (x^ r + d) + beta is an affine map of BatchNorm's x^, so that PyTorch's kernel does the rest.
            gamma, beta = gamma * r, beta + gamma * d
        if self.training:
            self.num_batches_tracked.add_(1)
        factor = update_factor(self.momentum, self.num_batches_tracked) if self.training else 0.0
        return F.batch_norm(x, self.running_mean, self.running_var, gamma, beta, self.training, factor, self.eps)

    @torch.no_grad()
    def _corrections(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return r and d, each (C,), from the running statistics before this batch."""
        mean, variance = batch_moments(x)
        s = torch.sqrt(self.running_var + self.eps)
        # Tensors throughout: to read the count as a number would synchronise with the device.
        done = torch.ones_like(s[0])
        if self.warmup:
            done = (self.num_batches_tracked.to(s.dtype) / self.warmup).clamp(max=1.0)
        r_max = 1.0 + done * (self.r_max - 1.0)
        d_max = done * self.d_max
        r = torch.sqrt(variance + self.eps) / s
        r = r.clamp(min=1.0 / r_max, max=r_max)
        d = ((mean - self.running_mean) / s).clamp(min=-d_max, max=d_max)
        return r.to(self.weight.dtype), d.to(self.weight.dtype)

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return (
            f"{super().extra_repr()}, r_max={self.r_max}, d_max={self.d_max}, momentum={self.momentum}, "
            f"warmup={self.warmup}"
        )
