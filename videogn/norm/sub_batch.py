"""BatchNorm over parts of the batch, and over the batches of all processes."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.checks import require_positive
from videogn.norm.running_statistics import RunningStatistics, update_factor
from videogn.system.ranks import world_size


class SubBatchNorm3d(RunningStatistics):
    """BatchNorm over sub-batches of n clips: S_i = {k : k_C = i_C, floor(k_N / n) = floor(i_N / n)}.

    One device then acts as several: in training every sub-batch is normalised with its own statistics, as on each
    device without synchronisation (GN paper, section 4.3: statistics per GPU). The running statistics take the average
    over the sub-batches, so that n = N is exactly BatchNorm. Evaluation is BatchNorm's.

    Args:
        num_channels: Number of channels C.
        clips: Number of clips n in a sub-batch, which must divide every training batch. Default: 1, the only number
            that always does; it is InstanceNorm in training.
        momentum: Weight of the newest batch in the running statistics; None for their plain average. Default: 0.1.
        eps: Constant added to the variance. Default: 1e-5.

    Raises:
        ValueError: `clips` is not positive.
    """

    def __init__(self, num_channels: int, *, clips: int = 1, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(num_channels, eps=eps)
        require_positive("clips", clips)
        self.clips = clips
        self.momentum = momentum

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: In training, `clips` does not divide N, or a sub-batch has only one value per channel.
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
        """Options, for `print(layer)`."""
        return f"{super().extra_repr()}, clips={self.clips}, momentum={self.momentum}"


class SyncBatchNorm3d(nn.SyncBatchNorm):
    """BatchNorm over (N, T, H, W) of all processes: S_i = {k : k_C = i_C}, with k_N over the batches of all processes.

    It is PyTorch's SyncBatchNorm, and BatchNorm where there is nothing to synchronise. PyTorch's own layer refuses CPU
    tensors in training as soon as there is a process group, even of one process. Here a group of one process, or none,
    means BatchNorm on any device. Several processes on CPUs are still refused: PyTorch cannot synchronise them.

    Args:
        num_channels: Number of channels C.
        eps: Constant added to the variance. Default: 1e-5.
        momentum: Weight of the newest batch in the running statistics; None for their plain average. Default: 0.1.
    """

    def __init__(self, num_channels: int, *, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(num_channels, eps=eps, momentum=momentum)

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, T, H, W) -> the same shape.

        Raises:
            ValueError: In training, there are several processes and a tensor on the CPU, or only one value per channel.
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
