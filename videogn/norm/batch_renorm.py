"""Batch Renormalisation (Ioffe 2017, arXiv 1702.03275, algorithm 1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from videogn.norm.running_statistics import RunningStatistics, batch_moments, update_factor


class BatchRenorm3d(RunningStatistics):
    """BatchNorm whose output in training is moved towards what the running statistics would give.

        y = gamma ((x - m_B) / s_B * r + d) + beta
        r = sg[clip(s_B / s, 1 / r_max, r_max)],  d = sg[clip((m_B - m) / s, -d_max, d_max)]

    m_B and s_B are the batch's mean and sqrt(biased variance + eps), m and s = sqrt(running_var + eps) the running ones
    before this batch enters them, sg stops the gradient. Evaluation uses m and s alone, as BatchNorm does. With
    r_max = 1 and d_max = 0 all of it is BatchNorm. Like PyTorch's BatchNorm, and unlike the paper, the running average
    is taken of the unbiased variance, not of the standard deviation.

    Args:
        num_channels: C.
        r_max: bound of r, >= 1.
        d_max: bound of d, >= 0.
        momentum: weight of the newest batch in the running statistics; None for their plain average.
        warmup: forward passes in training during which r_max rises linearly from 1 and d_max from 0; the count is
            `num_batches_tracked`, which a checkpoint keeps.
        eps: added to the variance.
    """

    def __init__(
        self, num_channels: int, *, r_max: float, d_max: float, momentum: float | None, warmup: int, eps: float
    ) -> None:
        super().__init__(num_channels, eps=eps)
        self.r_max = r_max
        self.d_max = d_max
        self.momentum = momentum
        self.warmup = warmup

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: in training, one value per channel only.
        """
        gamma: Tensor = self.weight
        beta: Tensor = self.bias
        if self.training:
            r, d = self._corrections(x)
            # gamma (x^ r + d) + beta is an affine map of BatchNorm's x^, so that PyTorch's kernel does the rest.
            gamma, beta = gamma * r, beta + gamma * d
            self.num_batches_tracked.add_(1)
        factor = update_factor(self.momentum, self.num_batches_tracked) if self.training else 0.0
        return F.batch_norm(x, self.running_mean, self.running_var, gamma, beta, self.training, factor, self.eps)

    @torch.no_grad()
    def _corrections(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """r and d, each (C,), from the running statistics before this batch."""
        mean, variance = batch_moments(x)
        s = torch.sqrt(self.running_var + self.eps)
        # Tensors throughout: reading the count would make the device wait.
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
        """What `print(layer)` shows."""
        return (
            f"{super().extra_repr()}, r_max={self.r_max}, d_max={self.d_max}, momentum={self.momentum}, "
            f"warmup={self.warmup}"
        )
