"""BatchNorm without a clip's own share in its statistics, for `docs/results/small-batches.md`.

    PYTHONPATH=benchmarks videogn study run benchmarks/norm_of_others.yaml --out others --jobs 2 --trust norm_of_others

In a batch of B clips a clip makes up 1/B of the statistics that normalise it, so that a small batch differs from a
large one in two ways: the statistics are noisier, and they hold more of the clip itself, until with one clip BatchNorm
is InstanceNorm. This norm has the noise of B clips and nothing of the clip itself.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from videogn.checks import require_positive
from videogn.norm.running_statistics import RunningStatistics, at_least_float32


class NormOfOthers(RunningStatistics):
    """BatchNorm whose statistics are those of the next B clips of the batch, in a circle, without the clip itself.

    For clip i of N, the set is S_i = {k : k_C = i_C, (k_N - i_N) mod N in 1..B}. Gradients flow through the statistics.
    Evaluation is BatchNorm's, with the running average of the statistics of training.

    Args:
        num_channels: Number of channels C.
        clips: Number of clips B behind the statistics of a clip, less than the clips of a training batch. Default: 2.
        momentum: Weight of the newest batch in the running statistics. Default: 0.1.
        eps: Constant added to the variance. Default: 1e-5.

    Raises:
        ValueError: `clips` is not positive.
    """

    def __init__(self, num_channels: int, *, clips: int = 2, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(num_channels, eps=eps)
        require_positive("clips", clips)
        self.clips, self.momentum = clips, momentum

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: In training, N is not larger than `clips`.
        """
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        if len(x) <= self.clips:
            raise ValueError(f"the batch must have more clips than clips={self.clips}, got {len(x)}")
        wide = at_least_float32(x)
        means, variances = self._of_others(wide)
        self._update(means.detach(), variances.detach(), x[0, 0].numel())
        shape = (*means.shape, *([1] * (x.ndim - 2)))
        normalised = (wide - means.view(shape)) * torch.rsqrt(variances.view(shape) + self.eps)
        affine = (1, -1, *([1] * (x.ndim - 2)))
        return (normalised * self.weight.view(affine) + self.bias.view(affine)).to(x.dtype)

    def _of_others(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and biased variance (N, C) of the next clips; the latter is their own, and the spread of their means."""
        variance, mean = torch.var_mean(x.flatten(2), dim=2, correction=0)
        others = (torch.arange(len(x))[:, None] + torch.arange(1, self.clips + 1)) % len(x)  # (N, B)
        of_others = mean[others]
        return of_others.mean(1), variance[others].mean(1) + of_others.var(1, correction=0)

    @torch.no_grad()
    def _update(self, means: Tensor, variances: Tensor, positions: int) -> None:
        count = self.clips * positions
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(means.mean(0), self.momentum)
        self.running_var.lerp_(variances.mean(0) * count / (count - 1), self.momentum)
