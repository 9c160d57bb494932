"""BatchNorm over parts of the batch, and over the batches of all processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.norm.running_statistics import RunningStatistics, update_factor
from videogn.system.ranks import world_size


class SubBatchNorm3d(RunningStatistics):
    """BatchNorm over sub-batches of `clips` consecutive clips, so that one device can act as several.

    In training every sub-batch is normalised with its own statistics, as each device does without synchronisation
    (GN paper, section 4.3: statistics per GPU). The running statistics take the average over the sub-batches, so that
    clips = N is exactly BatchNorm. Evaluation is BatchNorm's.

    Args:
        num_channels: C.
        clips: n, the clips of a sub-batch.
        momentum: weight of the newest batch in the running statistics; None for their plain average.
        eps: added to the variance.
    """

    def __init__(self, num_channels: int, *, clips: int, momentum: float | None, eps: float) -> None:
        super().__init__(num_channels, eps=eps)
        self.clips = clips
        self.momentum = momentum

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: in training, N is not divisible by `clips`, or a sub-batch has one value per channel only.
        """
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        if x.shape[0] % self.clips:
            raise ValueError(
                f"the batch must be divisible by the clips of a sub-batch, "
                f"got {x.shape[0]} clips in the batch and clips={self.clips}"
            )
        self.num_batches_tracked.add_(1)
        factor = update_factor(self.momentum, self.num_batches_tracked)
        parts, means, variances = [], [], []
        for part in x.split(self.clips):
            mean, variance = self.running_mean.clone(), self.running_var.clone()
            parts.append(F.batch_norm(part, mean, variance, self.weight, self.bias, True, factor, self.eps))
            means.append(mean)
            variances.append(variance)
        self.running_mean.copy_(torch.stack(means).mean(0))
        self.running_var.copy_(torch.stack(variances).mean(0))
        return torch.cat(parts)

    def extra_repr(self) -> str:
        """What `print(layer)` shows."""
        return f"{super().extra_repr()}, clips={self.clips}, momentum={self.momentum}"


class SyncBatchNorm3d(nn.SyncBatchNorm):
    """PyTorch's SyncBatchNorm, which is BatchNorm wherever there is nothing to synchronise.

    PyTorch's own layer refuses CPU tensors in training as soon as a process group exists, even one of a single
    process. Here a group of one process, or none, means BatchNorm on any device. Several processes on CPUs are still
    refused, since PyTorch has no such synchronisation.
    """

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: in training, more than one process and a tensor on the CPU, or one value per channel only.
        """
        if self.training and world_size(self.process_group) > 1:
            return super().forward(input)
        factor = 0.0
        if self.training:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            factor = update_factor(self.momentum, self.num_batches_tracked)
        return F.batch_norm(
            input, self.running_mean, self.running_var, self.weight, self.bias, self.training, factor, self.eps
        )
