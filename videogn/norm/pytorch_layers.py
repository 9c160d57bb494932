"""Norms whose layers PyTorch has: BatchNorm, GroupNorm and its special cases."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from videogn.checks import require_positive, require_whole
from videogn.norm.running_statistics import at_least_float32

#: Number of groups unless an option says otherwise (GN paper, section 3.1).
_GROUPS = 32


def batch_norm(num_channels: int, *, eps: float = 1e-5, momentum: float | None = 0.1) -> nn.BatchNorm3d:
    """BatchNorm over (N, T, H, W): S_i = {k : k_C = i_C} (GN paper, equation 3).

    Args:
        num_channels: Number of channels C.
        eps: Constant added to the variance. Default: 1e-5.
        momentum: Weight of the newest batch in the running statistics. Default: 0.1.
    """
    return nn.BatchNorm3d(num_channels, eps=eps, momentum=momentum)


def group_norm(
    num_channels: int,
    *,
    groups: int | None = None,
    channels_per_group: int | None = None,
    max_groups: int | None = None,
    eps: float = 1e-5,
) -> nn.GroupNorm:
    """GroupNorm over (C/G, T, H, W): S_i = {k : k_N = i_N, floor(k_C / (C/G)) = floor(i_C / (C/G))} (GN paper, eq. 7).

    Args:
        num_channels: Number of channels C.
        groups: Number of groups G. Default: 32, unless another option says how many.
        channels_per_group: C/G, as an alternative to `groups`.
        max_groups: As another alternative, a bound: G is the largest divisor of C up to it.
        eps: Constant added to the variance. Default: 1e-5.

    Raises:
        ValueError: Two of the options are given, one is not a whole number > 0, or it does not divide C.
    """
    return nn.GroupNorm(number_of_groups(num_channels, groups, channels_per_group, max_groups), num_channels, eps=eps)


def layer_norm(num_channels: int, *, eps: float = 1e-5) -> nn.GroupNorm:
    """LayerNorm over (C, T, H, W): S_i = {k : k_N = i_N} (GN paper, equation 4), that is GroupNorm with one group.

    Args:
        num_channels: Number of channels C. Gamma and beta are per channel.
        eps: Constant added to the variance. Default: 1e-5.
    """
    return nn.GroupNorm(1, num_channels, eps=eps)


def instance_norm(num_channels: int, *, eps: float = 1e-5) -> nn.GroupNorm:
    """InstanceNorm over (T, H, W): S_i = {k : k_N = i_N, k_C = i_C} (GN paper, equation 5).

    It is GroupNorm with one channel per group: it has gamma and beta, and no running statistics.

    Args:
        num_channels: Number of channels C.
        eps: Constant added to the variance. Default: 1e-5.
    """
    return nn.GroupNorm(num_channels, num_channels, eps=eps)


def number_of_groups(
    num_channels: int, groups: int | None = None, channels_per_group: int | None = None, max_groups: int | None = None
) -> int:
    """Return G for the three ways of giving it.

    Args:
        num_channels: Number of channels C.
        groups: Number of groups G, or None.
        channels_per_group: C/G, or None.
        max_groups: Bound of G, which is then the largest divisor of C up to it; or None. G is 32 if all are None.

    Raises:
        ValueError: Two of them are given, one is not a whole number > 0, or it does not divide C.
    """
    options = {"groups": groups, "channels_per_group": channels_per_group, "max_groups": max_groups}
    given = {name: value for name, value in options.items() if value is not None}
    if len(given) > 1:
        values = ", ".join(f"{name}={value}" for name, value in given.items())
        raise ValueError(f"give {' or '.join(given)}, not both; got {values}")
    name, divisor = next(iter(given.items()), ("groups", _GROUPS))
    require_whole(name, divisor)
    require_positive(name, divisor)
    if name == "max_groups":
        return max(size for size in range(1, min(divisor, num_channels) + 1) if num_channels % size == 0)
    if num_channels % divisor:
        raise ValueError(f"channels must be divisible by {name}, got {num_channels} channels and {name}={divisor}")
    return divisor if name == "groups" else num_channels // divisor


def normalise_groups(x: Tensor, groups: int, weight: Tensor, bias: Tensor, eps: float = 1e-5) -> Tensor:
    """Compute GroupNorm by operations that are independent of the layout, for a compiler to fuse.

    Args:
        x: Activations, (N, C, *).
        groups: Number of groups G.
        weight: Gamma, (C,).
        bias: Beta, (C,).
        eps: Constant added to the variance. Default: 1e-5.

    Returns:
        Activations of the same shape, dtype and layout, computed in float32 or wider.
    """
    wide = at_least_float32(x)
    axes = tuple(range(2, x.ndim))
    # Of each channel first: over all positions at once, as a norm of the batch. A group is only some of its channels.
    variances, means = torch.var_mean(wide, dim=axes, correction=0)  # (N, C)
    grouped = means.unflatten(1, (groups, -1))
    mean = grouped.mean(2, keepdim=True)
    variance = (variances.unflatten(1, (groups, -1)) + (grouped - mean).square()).mean(2, keepdim=True)
    scale = (torch.rsqrt(variance + eps) * weight.unflatten(0, (groups, -1))).flatten(1)
    mean = mean.expand_as(grouped).flatten(1)

    def spread(each: Tensor) -> Tensor:
        return each.view(*each.shape, *(1,) * len(axes))

    return ((wide - spread(mean)) * spread(scale) + spread(bias)).to(x.dtype)
