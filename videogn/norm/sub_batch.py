"""BatchNorm over parts of the batch, and over the batches of all processes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from videogn.checks import check_choice, require_positive, require_whole
from videogn.norm.running_statistics import RunningStatistics, update_factor
from videogn.system.ranks import world_size


def normalised_in_parts(layer: Any, x: Tensor, clips: int, factor: float) -> Tensor:
    """Normalise every `clips` clips with their own statistics; the running ones take the average over these parts.

    Args:
        layer: Layer with gamma, beta and running statistics, which are updated.
        x: Features (N, C, T, H, W).
        clips: Number of clips in a part.
        factor: Weight of the newest batch in the running statistics.
    """
    parts, means, variances = [], [], []
    for part in x.split(clips):
        mean, variance = layer.running_mean.clone(), layer.running_var.clone()
        parts.append(F.batch_norm(part, mean, variance, layer.weight, layer.bias, True, factor, layer.eps))
        means.append(mean)
        variances.append(variance)
    layer.running_mean.copy_(torch.stack(means).mean(0))
    layer.running_var.copy_(torch.stack(variances).mean(0))
    return torch.cat(parts)


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
        ValueError: `clips` is not a whole number > 0.
    """

    def __init__(self, num_channels: int, *, clips: int = 1, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(num_channels, eps=eps)
        require_whole("clips", clips)
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
        number = self._number_of_parts(x)
        factor = update_factor(self.momentum, self.num_batches_tracked)
        return self._normalised(x, number, factor)

    def _number_of_parts(self, x: Tensor) -> int:
        """Return the number of sub-batches, and count the batch."""
        if x.shape[0] % self.clips:
            raise ValueError(
                f"the batch must be divisible by the clips of a sub-batch, "
                f"got {x.shape[0]} clips in the batch and clips={self.clips}"
            )
        self.num_batches_tracked.add_(1)
        return x.shape[0] // self.clips

    def _normalised(self, x: Tensor, number: int, factor: float) -> Tensor:
        """Normalise every sub-batch with its own statistics, and update the running ones by `factor`."""
        return normalised_in_parts(self, x, self.clips, factor)

    def extra_repr(self) -> str:
        """Options, for `print(layer)`."""
        return f"{super().extra_repr()}, clips={self.clips}, momentum={self.momentum}"


class SlowFastSubBatchNorm3d(SubBatchNorm3d):
    """Sub-batches as in SlowFast (models/batchnorm_helper.py, for multigrid training; Wu et al. 2020).

    It differs from `SubBatchNorm3d` in two ways. The P = N / n sub-batches interleave: clip i is in sub-batch i mod P.
    And each sub-batch p has running statistics of its own, m_p and v_p, from which those of evaluation follow:

        running_mean = E_p[m_p],  running_var = E_p[v_p] + E_p[(m_p - running_mean)^2]

    The last term is the spread of the means, which makes the variance that of all clips together. The first training
    batch decides P.

    Args:
        num_channels: Number of channels C.
        clips: Number of clips n in a sub-batch, which must divide every training batch. Default: 1.
        momentum: Weight of the newest batch in m_p and v_p; None for their plain average. Default: 0.1.
        eps: Constant added to the variance. Default: 1e-5.

    Raises:
        ValueError: `clips` is not a whole number > 0.
    """

    #: Whether sub-batches have statistics of their own. `precise_statistics` turns it off: it measures single ones, and
    #: writes the statistics of evaluation; those of the sub-batches are training's.
    corrected = True

    split_mean: Tensor
    split_var: Tensor

    def __init__(self, num_channels: int, *, clips: int = 1, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        super().__init__(num_channels, clips=clips, eps=eps, momentum=momentum)
        self.register_buffer("split_mean", torch.zeros(0, num_channels))
        self.register_buffer("split_var", torch.zeros(0, num_channels))

    def _normalised(self, x: Tensor, number: int, factor: float) -> Tensor:
        if not self.corrected:
            return super()._normalised(x, number, factor)
        if len(self.split_mean) == 0:  # as SlowFast does with the weights of a plain BatchNorm
            self.split_mean = self.running_mean.repeat(number, 1)
            self.split_var = self.running_var.repeat(number, 1)
        if len(self.split_mean) != number:
            raise ValueError(
                f"statistics slowfast belong to a number of sub-batches, so far {len(self.split_mean)}, "
                f"got {number} ({x.shape[0]} clips, clips={self.clips})"
            )
        parts, means, variances = [], [], []
        for p in range(number):
            mean, variance = self.split_mean[p].clone(), self.split_var[p].clone()
            parts.append(F.batch_norm(x[p::number], mean, variance, self.weight, self.bias, True, factor, self.eps))
            means.append(mean)
            variances.append(variance)
        self.split_mean.copy_(torch.stack(means))
        self.split_var.copy_(torch.stack(variances))
        self.running_mean.copy_(self.split_mean.mean(0))
        self.running_var.copy_(self.split_var.mean(0) + self.split_mean.var(0, correction=0))
        return torch.stack(parts, 1).flatten(0, 1)  # (n, P, C, ...) -> clip a P + p of the batch

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        for name in ("split_mean", "split_var"):
            stored = state_dict.get(prefix + name)
            if stored is not None:  # as many as there were sub-batches
                setattr(self, name, self.get_buffer(name).new_zeros(stored.shape))
        super()._load_from_state_dict(state_dict, prefix, *args)


#: `statistics` of `sub_batch_norm` -> its class.
SUB_BATCH_NORMS: dict[str, type[SubBatchNorm3d]] = {"average": SubBatchNorm3d, "slowfast": SlowFastSubBatchNorm3d}


def sub_batch_norm(
    num_channels: int,
    *,
    clips: int = 1,
    statistics: str = "average",
    eps: float = 1e-5,
    momentum: float | None = 0.1,
) -> SubBatchNorm3d:
    """BatchNorm over sub-batches of n clips.

    Args:
        num_channels: Number of channels C.
        clips: Number of clips n in a sub-batch, which must divide every training batch. Default: 1.
        statistics: "average": sub-batches of consecutive clips, whose statistics are averaged into the running ones.
            "slowfast": SlowFast's, see `SlowFastSubBatchNorm3d`. Default: "average".
        eps: Constant added to the variance. Default: 1e-5.
        momentum: Weight of the newest batch in the running statistics; None for their plain average. Default: 0.1.

    Raises:
        ValueError: `clips` is not a whole number > 0, or `statistics` is unknown.
    """
    check_choice("statistics", statistics, SUB_BATCH_NORMS)
    return SUB_BATCH_NORMS[statistics](num_channels, clips=clips, eps=eps, momentum=momentum)


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
