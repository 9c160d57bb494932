"""One factory per norm. Every norm computes

    y = gamma * (x - mu_i) / sqrt(var_i + eps) + beta

and differs only in S_i, the set of positions that share mu_i and var_i (GN paper, equations 1 to 3). For video the
paper's (H, W) becomes (T, H, W). Adding a norm is one factory here and one line of NORMS.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from videogn.names import check_choice, did_you_mean

#: Makes the norm layer for a tensor of `num_channels` channels.
NormFactory = Callable[[int], nn.Module]


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
    if groups is not None and channels_per_group is not None:
        raise ValueError(
            f"give groups or channels_per_group, not both; got groups={groups}, channels_per_group={channels_per_group}"
        )
    if channels_per_group is not None:
        _require_positive("channels_per_group", channels_per_group)
    else:
        groups = 32 if groups is None else groups
        _require_positive("groups", groups)

    def factory(num_channels: int) -> nn.Module:
        if channels_per_group is not None:
            if num_channels % channels_per_group:
                raise ValueError(
                    f"channels must be divisible by channels_per_group, "
                    f"got {num_channels} channels and channels_per_group={channels_per_group}"
                )
            return nn.GroupNorm(num_channels // channels_per_group, num_channels, eps=eps)
        assert groups is not None
        if num_channels % groups:
            raise ValueError(f"channels must be divisible by groups, got {num_channels} channels and groups={groups}")
        return nn.GroupNorm(groups, num_channels, eps=eps)

    return factory


#: Norm name -> maker of its factory; the keyword arguments of the maker are the norm's options.
NORMS: dict[str, Callable[..., NormFactory]] = {
    "bn": batch_norm,
    "gn": group_norm,
}


def make_norm(name: str, **options: Any) -> NormFactory:
    """Look a norm up by name.

    Args:
        name: a key of NORMS.
        **options: that norm's options, for instance `groups=32`.

    Returns:
        A factory `(num_channels) -> nn.Module`.

    Raises:
        ValueError: an unknown name or option, named with the nearest valid one.
    """
    check_choice("norm", name, NORMS)
    valid = list(inspect.signature(NORMS[name]).parameters)
    for option in options:
        if option not in valid:
            raise ValueError(
                f"norm {name!r} takes {', '.join(valid)}, got option {option!r}{did_you_mean(option, valid)}"
            )
    return NORMS[name](**options)


def _require_positive(name: str, value: int) -> None:
    if value <= 0:
        raise ValueError(f"{name} must be > 0, got {value}")
