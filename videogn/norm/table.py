"""The tables: norm name -> factory, and norm name -> kind of convolution that goes with it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from torch import nn

from videogn.extensions import check_options, find
from videogn.norm import factories
from videogn.norm.factories import NormFactory
from videogn.norm.weight_standardisation import WeightStandardisedConv3d

#: Norm name -> maker of its factory; the keyword arguments of the maker are the norm's options. Adding a norm is one
#: maker in `factories` and one line here.
NORMS: dict[str, Callable[..., NormFactory]] = {
    "bn": factories.batch_norm,
    "gn": factories.group_norm,
    "ln": factories.layer_norm,
    "in": factories.instance_norm,
    "brn": factories.batch_renorm,
    "frozen_bn": factories.frozen_batch_norm,
    "sync_bn": factories.sync_batch_norm,
    "sub_bn": factories.sub_batch_norm,
    "ws+gn": factories.weight_standardised_group_norm,
    "bcn": factories.batch_channel_norm,
    "none": factories.no_norm,
}

#: The norms that come with another convolution than `nn.Conv3d`.
CONVOLUTIONS: dict[str, type[nn.Conv3d]] = {"ws+gn": WeightStandardisedConv3d}


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
    norm = find("norm", name, NORMS, "videogn.norms")
    if name in NORMS:
        check_options(f"norm {name!r}", norm, options, 0)
        return norm(**options)
    check_options(f"norm {name!r}", norm, options, 1)
    return functools.partial(norm, **options)


def make_conv(name: str) -> type[nn.Conv3d]:
    """Look up the convolution that goes with a norm; its parameters have the names and shapes of `nn.Conv3d`'s.

    Args:
        name: a key of NORMS.

    Returns:
        `nn.Conv3d`, or a subclass of it.

    Raises:
        ValueError: an unknown name, with the nearest valid one.
    """
    find("norm", name, NORMS, "videogn.norms")
    return CONVOLUTIONS.get(name, nn.Conv3d)
