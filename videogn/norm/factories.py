"""One factory per norm. Every norm computes

    y = gamma * (x - mu_i) / sqrt(var_i + eps) + beta

and differs in S_i, the set of positions that share mu_i and var_i (GN paper, equations 1 to 3), or in where mu_i and
var_i come from. For video the paper's (H, W) becomes (T, H, W). A position is k = (k_N, k_C, k_T, k_H, k_W).
"""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from videogn.norm.batch_channel import BatchChannelNorm3d
from videogn.norm.batch_renorm import BatchRenorm3d
from videogn.norm.frozen import ChannelAffine, FrozenBatchNorm3d
from videogn.norm.sub_batch import SubBatchNorm3d, SyncBatchNorm3d

#: Makes the norm layer for a tensor of `num_channels` channels.
NormFactory = Callable[[int], nn.Module]

#: Groups when neither option is given (GN paper, section 3.1).
_GROUPS = 32


def batch_norm(*, eps: float = 1e-5, momentum: float = 0.1) -> NormFactory:
    """BatchNorm over (N, T, H, W): S_i = {k : k_C = i_C} (GN paper, equation 3).

    Args:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics (PyTorch's convention).

    Returns:
        A factory of `nn.BatchNorm3d`.
    """
    return lambda num_channels: nn.BatchNorm3d(num_channels, eps=eps, momentum=momentum)


def group_norm(*, groups: int | None = None, channels_per_group: int | None = None, eps: float = 1e-5) -> NormFactory:
    """GroupNorm over (C/G, T, H, W): S_i = {k : k_N = i_N, floor(k_C / (C/G)) = floor(i_C / (C/G))} (GN paper, eq. 7).

    The variance is biased, and nothing depends on the rest of the batch.

    Args:
        groups: G, the number of groups; 32 when neither option is given (GN paper, section 3.1).
        channels_per_group: C/G instead of G; at most one of the two.
        eps: added to the variance.

    Returns:
        A factory of `nn.GroupNorm`; it raises ValueError for a number of channels that does not divide.

    Raises:
        ValueError: both options given, or one that is not positive.
    """
    groups_of = _grouping(groups, channels_per_group)
    return lambda num_channels: nn.GroupNorm(groups_of(num_channels), num_channels, eps=eps)


def layer_norm(*, eps: float = 1e-5) -> NormFactory:
    """LayerNorm over (C, T, H, W): S_i = {k : k_N = i_N} (GN paper, equation 5), which is GroupNorm with one group.

    Args:
        eps: added to the variance.

    Returns:
        A factory of `nn.GroupNorm`; gamma and beta are per channel.
    """
    return group_norm(groups=1, eps=eps)


def instance_norm(*, eps: float = 1e-5) -> NormFactory:
    """InstanceNorm over (T, H, W): S_i = {k : k_N = i_N, k_C = i_C} (GN paper, equation 6).

    It is GroupNorm with one channel a group, and has gamma, beta and no running statistics.

    Args:
        eps: added to the variance.

    Returns:
        A factory of `nn.GroupNorm`.
    """
    return group_norm(channels_per_group=1, eps=eps)


def batch_renorm(
    *, r_max: float = 1.5, d_max: float = 0.5, momentum: float = 0.1, warmup: int = 0, eps: float = 1e-5
) -> NormFactory:
    """Batch Renorm over (N, T, H, W): S_i = {k : k_C = i_C}, corrected towards the running statistics (Ioffe 2017).

    Args:
        r_max: bound of the correction of the scale, from 1 / r_max to r_max (GN paper, section 4.1: 1.5).
        d_max: bound of the correction of the mean, from -d_max to d_max (GN paper, section 4.1: 0.5).
        momentum: weight of the newest batch in the running statistics (PyTorch's convention).
        warmup: forward passes in training during which r_max rises linearly from 1 and d_max from 0, from BatchNorm
            to Batch Renorm.
        eps: added to the variance.

    Returns:
        A factory of `BatchRenorm3d`. With r_max = 1 and d_max = 0 it is BatchNorm.

    Raises:
        ValueError: r_max below 1, or d_max or warmup below 0.
    """
    for name, value, least in (("r_max", r_max, 1), ("d_max", d_max, 0), ("warmup", warmup, 0)):
        if value < least:
            raise ValueError(f"{name} must be >= {least}, got {value}")
    return lambda num_channels: BatchRenorm3d(
        num_channels, r_max=r_max, d_max=d_max, momentum=momentum, warmup=warmup, eps=eps
    )


def frozen_batch_norm(*, eps: float = 1e-5) -> NormFactory:
    """BatchNorm by stored statistics: S_i is {k : k_C = i_C} of the data they were once computed over, not the batch.

    It is meant for weights that bring statistics; without them mu_i = 0 and var_i = 1. Gamma and beta are trained.

    Args:
        eps: added to the variance.

    Returns:
        A factory of `FrozenBatchNorm3d`, with the state-dict keys of `nn.BatchNorm3d`.
    """
    return lambda num_channels: FrozenBatchNorm3d(num_channels, eps=eps)


def sync_batch_norm(*, eps: float = 1e-5, momentum: float = 0.1) -> NormFactory:
    """BatchNorm over (N, T, H, W) of all processes: S_i = {k : k_C = i_C}, k_N running over every process's batch.

    Args:
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics (PyTorch's convention).

    Returns:
        A factory of a `nn.SyncBatchNorm` that is BatchNorm in a single process, on any device.
    """
    return lambda num_channels: SyncBatchNorm3d(num_channels, eps=eps, momentum=momentum)


def sub_batch_norm(*, clips: int = 1, eps: float = 1e-5, momentum: float = 0.1) -> NormFactory:
    """BatchNorm over sub-batches of n clips: S_i = {k : k_C = i_C, floor(k_N / n) = floor(i_N / n)}.

    Args:
        clips: n, which must divide every training batch. 1, the only number that divides them all, is InstanceNorm in
            training; a stand-in for several devices sets their clips per device.
        eps: added to the variance.
        momentum: weight of the newest batch in the running statistics (PyTorch's convention), which take the average
            over the sub-batches.

    Returns:
        A factory of `SubBatchNorm3d`. With n = N it is BatchNorm.

    Raises:
        ValueError: clips is not positive.
    """
    _require_positive("clips", clips)
    return lambda num_channels: SubBatchNorm3d(num_channels, clips=clips, momentum=momentum, eps=eps)


def weight_standardised_group_norm(
    *, groups: int | None = None, channels_per_group: int | None = None, eps: float = 1e-5
) -> NormFactory:
    """GroupNorm, S_i as `group_norm`'s, to go with convolutions of standardised weight (Qiao et al. 2019).

    The convolutions' part is `videogn.norm.make_conv`, which a network asks for under the same name.

    Args:
        groups: G, the number of groups; 32 when neither option is given.
        channels_per_group: C/G instead of G; at most one of the two.
        eps: added to the variance of the positions.

    Returns:
        A factory of `nn.GroupNorm`; it raises ValueError for a number of channels that does not divide.

    Raises:
        ValueError: both options given, or one that is not positive.
    """
    return group_norm(groups=groups, channels_per_group=channels_per_group, eps=eps)


def batch_channel_norm(
    *, groups: int | None = None, channels_per_group: int | None = None, momentum: float = 0.1, eps: float = 1e-5
) -> NormFactory:
    """Batch-channel normalisation: BatchNorm by moving estimates, then GroupNorm (Qiao et al. 2019).

    First S_i = {k : k_C = i_C} over the batches so far, weighted by their age; then S_i as `group_norm`'s.

    Args:
        groups: G, the number of groups; 32 when neither option is given.
        channels_per_group: C/G instead of G; at most one of the two.
        momentum: update rate of the estimates.
        eps: added to both variances.

    Returns:
        A factory of `BatchChannelNorm3d`; it raises ValueError for a number of channels that does not divide.

    Raises:
        ValueError: both options given, or one that is not positive.
    """
    groups_of = _grouping(groups, channels_per_group)
    return lambda num_channels: BatchChannelNorm3d(
        num_channels, groups=groups_of(num_channels), momentum=momentum, eps=eps
    )


def no_norm() -> NormFactory:
    """No statistics, S_i is empty: y = gamma x + beta, so that zero-init and parameter groups are the other norms'.

    Returns:
        A factory of `ChannelAffine`.
    """
    return ChannelAffine


def _grouping(groups: int | None, channels_per_group: int | None) -> Callable[[int], int]:
    """Number of channels -> G, for the two ways of giving it."""
    if groups is not None and channels_per_group is not None:
        raise ValueError(
            f"give groups or channels_per_group, not both; got groups={groups}, channels_per_group={channels_per_group}"
        )
    name, divisor = ("groups", _GROUPS if groups is None else groups)
    if channels_per_group is not None:
        name, divisor = "channels_per_group", channels_per_group
    _require_positive(name, divisor)

    def groups_of(num_channels: int) -> int:
        if num_channels % divisor:
            raise ValueError(f"channels must be divisible by {name}, got {num_channels} channels and {name}={divisor}")
        return num_channels // divisor if name == "channels_per_group" else divisor

    return groups_of


def _require_positive(name: str, value: int) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be > 0, got {value}")
