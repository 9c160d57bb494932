"""The table of norms, and the factories made from it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from videogn.checks import is_number, require_at_least, require_at_most, shown
from videogn.extensions import check_options, find
from videogn.norm.batch_channel import BatchChannelNorm3d
from videogn.norm.batch_renorm import BatchRenorm3d
from videogn.norm.element_wise import DynamicErf, DynamicTanh
from videogn.norm.evonorm import EvoNormS03d
from videogn.norm.filter_response import FilterResponseNorm3d
from videogn.norm.frozen import ChannelAffine, FrozenBatchNorm3d
from videogn.norm.moving_average import MovingAverageBatchNorm3d
from videogn.norm.normaliser_free import NormaliserFree3d
from videogn.norm.pytorch_layers import batch_norm, group_norm, instance_norm, layer_norm
from videogn.norm.root_mean_square import RMSGroupNorm
from videogn.norm.sub_batch import SyncBatchNorm3d, sub_batch_norm
from videogn.norm.weight_standardisation import WeightStandardisedGroupNorm

#: Norm name -> class or function `(num_channels, **options) -> nn.Module`. A new norm is one more line, and its options
#: that are numbers are among `_NUMBERS`.
NORMS: dict[str, Callable[..., nn.Module]] = {
    "bn": batch_norm,
    "gn": group_norm,
    "ln": layer_norm,
    "in": instance_norm,
    "brn": BatchRenorm3d,
    "frozen_bn": FrozenBatchNorm3d,
    "sync_bn": SyncBatchNorm3d,
    "sub_bn": sub_batch_norm,
    "ws+gn": WeightStandardisedGroupNorm,
    "bcn": BatchChannelNorm3d,
    "mabn": MovingAverageBatchNorm3d,
    "rms_gn": RMSGroupNorm,
    "dyt": DynamicTanh,
    "derf": DynamicErf,
    "evonorm_s0": EvoNormS03d,
    "frn": FilterResponseNorm3d,
    "nf": NormaliserFree3d,
    "none": ChannelAffine,
}

#: Attributes by which a norm says what belongs where in a network, see `NormFactory`.
_PLACES = ("activation", "sum_activation", "last", "shortcut")
#: Options of the norms of the table that are any finite number; `momentum` may be None.
_NUMBERS = {"eps", "momentum", "decay", "r_max", "d_max", "warmup", "r_warmup", "alpha", "shift"}
#: Number of channels to make an activation with, to see what kind it is.
_ANY_CHANNELS = 32


@dataclass(frozen=True)
class NormFactory:
    """A norm with its options: called with a number of channels, it makes a layer. It can be pickled.

    What a norm needs beside its layers, it says by attributes of its class or function, so that no network tests for a
    kind of norm. Each is optional:

        conv            subclass of `nn.Conv3d` that the networks are built from
        activation      function (num_channels) -> what follows the layers, in place of ReLU
        sum_activation  the same for what follows the sum of a residual block
        last            function (num_channels, **options) -> the layer at the end of a residual branch, which no
                        activation follows; its gamma starts at 0
        shortcut        the same for the layer behind a projection shortcut
        adaptive_clip   adaptive gradient clipping, as a share of the weights

    Attributes:
        name: Name of the norm.
        norm: Class or function `(num_channels, **options) -> nn.Module`.
        options: Options of every layer.
    """

    name: str
    norm: Callable[..., nn.Module]
    options: Mapping[str, Any]

    def __call__(self, num_channels: int) -> nn.Module:
        """Make the layer for a tensor (B, num_channels, T, H, W), which an activation follows.

        Raises:
            ValueError: The norm does not take so many channels, or, from outside the package, fails in any way.
        """
        return self._made(self.norm, num_channels)

    def last(self, num_channels: int) -> nn.Module:
        """Make the layer at the end of a residual branch. Raises: as a call, or it has no gamma."""
        layer = self._made(getattr(self.norm, "last", self.norm), num_channels)
        if getattr(layer, "weight", None) is None:  # only one from outside the package
            raise ValueError(
                f"norm {self.name!r} makes {type(layer).__name__} without a parameter `weight`, the gamma that starts "
                "at 0 at the end of a residual branch: take a norm, or an option of it, that has one"
            )
        return layer

    def shortcut(self, num_channels: int) -> nn.Module:
        """Make the layer behind a projection shortcut. Raises: as a call."""
        return self._made(getattr(self.norm, "shortcut", self.norm), num_channels)

    def activation(self, num_channels: int) -> nn.Module:
        """Make what follows a layer: ReLU, unless the norm has another one."""
        return getattr(self.norm, "activation", _relu)(num_channels)

    def sum_activation(self, num_channels: int) -> nn.Module:
        """Make what follows the sum of a residual block: ReLU, unless the norm has another one."""
        return getattr(self.norm, "sum_activation", _relu)(num_channels)

    def _made(self, make: Callable[..., nn.Module], num_channels: int) -> nn.Module:
        try:
            layer = make(num_channels, **self.options)
        except Exception as error:
            if self.name in NORMS:
                raise
            raise ValueError(
                f"norm {self.name!r} cannot make a layer of {num_channels} channels: {type(error).__name__}: {error}"
            ) from error
        if not isinstance(layer, nn.Module):
            raise ValueError(f"norm {self.name!r} must make layers (torch.nn.Module), and makes {type(layer).__name__}")
        return layer

    def with_defaults(self, **options: Any) -> NormFactory:
        """Make a factory with options added: those that the norm takes and this factory does not set."""
        taken = inspect.signature(self.norm).parameters
        added = {name: value for name, value in options.items() if name in taken}
        return replace(self, options={**added, **self.options})

    @property
    def conv(self) -> type[nn.Conv3d]:
        """The convolution that goes with the norm: its attribute `conv`, a subclass of `nn.Conv3d`, if it has one."""
        return getattr(self.norm, "conv", nn.Conv3d)

    @property
    def adaptive_clip(self) -> float:
        """The adaptive gradient clipping that goes with the norm, 0 for none."""
        return getattr(self.norm, "adaptive_clip", 0.0)

    @property
    def is_layer_only(self) -> bool:
        """Whether the same layer belongs everywhere, with ReLU behind it, as that of BatchNorm."""
        return not any(hasattr(self.norm, place) for place in _PLACES)

    def left_out_of(self, network: nn.Module) -> list[str]:
        """List what goes with the norm and a network has nowhere: its builder may not have asked, see `conv`.

        Args:
            network: Network with layers of this norm.

        Returns:
            Calls of a factory `norm` that the builder lacks, for instance "norm.conv(...)".
        """
        kinds = {type(module) for module in network.modules()}
        lacking = ["norm.conv(...)"] if self.conv is not nn.Conv3d and self.conv not in kinds else []
        if hasattr(self.norm, "activation") and type(self.activation(_ANY_CHANNELS)) not in kinds:
            lacking.append("norm.activation(...)")
        return lacking


def _relu(num_channels: int) -> nn.Module:
    return nn.ReLU()


def make_norm(norm: str | Callable[..., nn.Module], **options: Any) -> NormFactory:
    """Make a factory of norm layers.

    Args:
        norm: A key of `NORMS`, the name of an entry point in the group `videogn.norms`, the dotted path of a class or
            function `(num_channels, **options) -> nn.Module`, or such a class or function itself.
        **options: Options of the norm, for instance `groups=32`. They are added to those of a `NormFactory`.

    Returns:
        A factory `(num_channels) -> nn.Module`. It refuses other wrong values when it makes a layer.

    Raises:
        ValueError: The norm is no name, class or function; it or an option is unknown, and the message names the
            nearest valid name; or, of a norm of the table, an option is no finite number, `eps` is negative or
            `momentum` is not in [0, 1].

    Example:
        >>> import torch
        >>> from videogn.norm import make_norm
        >>> layer = make_norm("gn", groups=4)(num_channels=16)
        >>> layer.num_groups
        4
        >>> layer(torch.randn(2, 16, 8, 28, 28)).shape
        torch.Size([2, 16, 8, 28, 28])
    """
    if isinstance(norm, NormFactory):
        name, make, options = norm.name, norm.norm, {**norm.options, **options}
    elif isinstance(norm, str):
        name, make = norm, find("norm", norm, NORMS, "videogn.norms")
    elif callable(norm):
        name, make = getattr(norm, "__qualname__", repr(norm)), norm
    else:
        raise ValueError(f"norm must be a name, a class or a function, got {shown(norm)}")
    if isinstance(make, functools.partial) and not make.args:  # its convolution is that of the norm within
        options = {**make.keywords, **options}
        make = make.func
    check_options(f"norm {name!r}", make, options, positional=1)
    if make in NORMS.values():
        _check_numbers(options)
    return NormFactory(name, make, options)


def _check_numbers(options: Mapping[str, Any]) -> None:
    """Refuse numbers with which a norm of the table would compute nonsense, in training or long after."""
    for name, value in options.items():
        if name in _NUMBERS and not is_number(value) and (name, value) != ("momentum", None):
            raise ValueError(f"{name} must be a finite number, got {shown(value)}")
    require_at_least("eps", options.get("eps", 0), 0)
    momentum = options.get("momentum")
    require_at_least("momentum", momentum or 0, 0)
    require_at_most("momentum", momentum or 0, 1)
