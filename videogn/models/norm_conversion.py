"""Another norm in a network that exists: its normalisation layers replaced one by one, what they hold kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from videogn.norm import NormFactory, make_norm
from videogn.norm.batch_channel import BatchChannelNorm3d
from videogn.norm.batch_renorm import BatchRenorm3d
from videogn.norm.element_wise import DynamicErf, DynamicTanh
from videogn.norm.evonorm import EvoNormS03d
from videogn.norm.filter_response import FilterResponseNorm3d
from videogn.norm.frozen import ChannelAffine, FrozenBatchNorm3d
from videogn.norm.moving_average import CentralisedConv3d, MovingAverageBatchNorm3d
from videogn.norm.normaliser_free import NormaliserFree3d
from videogn.norm.root_mean_square import RMSGroupNorm
from videogn.norm.sub_batch import SlowFastSubBatchNorm3d, SubBatchNorm3d, SyncBatchNorm3d
from videogn.norm.weight_standardisation import WeightStandardisedConv3d, WeightStandardisedGroupNorm

#: Class of a layer that can be replaced -> its attribute with the number of channels, axis 1 of its input.
_CHANNELS: dict[type[nn.Module], str] = {
    nn.BatchNorm1d: "num_features",
    nn.BatchNorm2d: "num_features",
    nn.BatchNorm3d: "num_features",
    nn.SyncBatchNorm: "num_features",
    nn.InstanceNorm1d: "num_features",
    nn.InstanceNorm2d: "num_features",
    nn.InstanceNorm3d: "num_features",
    SyncBatchNorm3d: "num_features",
    nn.GroupNorm: "num_channels",
    WeightStandardisedGroupNorm: "num_channels",
    BatchChannelNorm3d: "num_channels",
    BatchRenorm3d: "num_channels",
    FrozenBatchNorm3d: "num_channels",
    SubBatchNorm3d: "num_channels",
    SlowFastSubBatchNorm3d: "num_channels",
    MovingAverageBatchNorm3d: "num_channels",
    RMSGroupNorm: "num_channels",
    DynamicTanh: "num_channels",
    DynamicErf: "num_channels",
    ChannelAffine: "num_channels",
}
#: Layers that go with activations of their own, which would stay.
_WITH_MORE = (EvoNormS03d, FilterResponseNorm3d, NormaliserFree3d)
#: What a layer may hold; a tensor is kept where the new layer has one of the same name and shape.
_KEPT = ("weight", "bias")
#: What it may hold too, and is kept where both layers have them all: without a mean they are of another kind.
_STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
#: Convolutions that can take one another's place.
_CONVOLUTIONS: tuple[type[nn.Conv3d], ...] = (nn.Conv3d, WeightStandardisedConv3d, CentralisedConv3d)
#: Options that are taken over from the old layer, unless the factory sets them.
_OPTIONS = ("eps", "momentum")
#: Most groups of a layer, where the factory says nothing of groups (GN paper, section 3.1).
_GROUPS = 32
#: The name that stands for a transformer's own norm.
OWN_NORM = "ln"


def require_own_norm(
    name: str, norm: str | Callable[..., nn.Module], norm_options: Mapping[str, Any] | None = None
) -> None:
    """Refuse any norm but its own for a transformer, whose LayerNorm over tokens cannot be replaced.

    Args:
        name: Name of the network.
        norm: Norm that was asked for, as for `videogn.norm.make_norm`.
        norm_options: Its options. Default: none.

    Raises:
        ValueError: It is not "ln" without options.
    """
    factory = make_norm(norm, **(norm_options or {}))
    if factory.name != OWN_NORM or factory.options:
        asked = f"norm {factory.name!r}" + (f" with options {dict(factory.options)}" if factory.options else "")
        raise ValueError(
            f"{name} is a transformer and keeps its own LayerNorm: --model.norm {OWN_NORM} (without options), "
            f"got {asked}"
        )


def convert_norm(network: nn.Module, factory: str | Callable[..., nn.Module]) -> nn.Module:
    """Replace every BatchNorm, InstanceNorm and GroupNorm of a network, and every norm of videogn's, by another norm.

    gamma, beta and running statistics are kept where the new layer has a place for them, and so are device, dtype,
    training mode, `requires_grad`, and eps and momentum unless the factory sets them. Norms with groups have the
    largest number of groups up to 32 that divides a layer's channels, unless the factory says how many. Norms that go
    with a convolution of their own (`ws+gn`, `mabn`) replace the 3D convolutions without a bias too, whose weights are
    kept.

    LayerNorm stays: it normalises the last axes of tokens, not channels at axis 1. Forward hooks of the replaced layers
    are not kept.

    Args:
        network: Any network. It is changed.
        factory: Norm as for `videogn.norm.make_norm`: a name, or a factory `(num_channels) -> nn.Module`.

    Returns:
        The network, or the new layer if `network` is itself a normalisation layer.

    Raises:
        ValueError: There is nothing to replace, a layer does more than to normalise, the new norm needs more than a
            layer's place (an activation of its own, for instance), or it does not take a layer's number of channels.
            The network is unchanged.

    Example:
        >>> from torchvision.models.video import r3d_18
        >>> from videogn.models import convert_norm
        >>> from videogn.norm import make_norm
        >>> network = convert_norm(r3d_18(), make_norm("gn", groups=16))
        >>> network.stem[1]
        GroupNorm(16, 64, eps=1e-05, affine=True)
    """
    norm = make_norm(factory)
    if not norm.is_layer_only:
        raise ValueError(
            f"norm {norm.name!r} has an activation or ends of branches of its own, so that it cannot take the place of "
            f"the norms of {type(network).__name__} alone: it goes with the networks i3d_*, slow_r50, c2d_r50, resnet* "
            "and vgg16"
        )
    if not norm.options.keys() & {"groups", "channels_per_group", "max_groups"}:
        norm = norm.with_defaults(max_groups=_GROUPS)
    new: dict[nn.Module, nn.Module] = {}  # of every layer once, also of one that the network uses in several places
    for name, layer in network.named_modules():
        if type(layer) in _CHANNELS:
            new[layer] = _replacement(name, layer, norm)
        elif isinstance(layer, (*_CHANNELS, *_WITH_MORE)):
            raise ValueError(f"{name or 'the network'} is a {type(layer).__name__}, which does more than to normalise")
    if not new:
        raise ValueError(f"{type(network).__name__} has no BatchNorm, InstanceNorm or GroupNorm to replace")
    convolutions = {layer: _convolution(layer, norm.conv) for layer in network.modules() if _differs(layer, norm.conv)}
    if not convolutions and norm.conv is not nn.Conv3d and norm.conv not in map(type, network.modules()):
        raise ValueError(f"norm {norm.name!r} goes with 3D convolutions without a bias, of which there are none")
    new |= convolutions
    for parent in list(network.modules()):
        for name, child in list(parent._modules.items()):
            if child in new:
                setattr(parent, name, new[child])
    return new.get(network, network)


@torch.no_grad()
def _replacement(name: str, layer: nn.Module, norm: NormFactory) -> nn.Module:
    """Make the layer that takes the place of another, with what it holds."""
    options = {option: getattr(layer, option) for option in _OPTIONS if hasattr(layer, option)}
    try:
        made = norm.with_defaults(**options)(getattr(layer, _CHANNELS[type(layer)]))
    except ValueError as error:
        raise ValueError(f"{name}: {error}" if name else str(error)) from error
    if type(made) is nn.BatchNorm3d and type(layer) in (nn.BatchNorm1d, nn.BatchNorm2d):
        # The only norm here that refuses tensors of other than five axes.
        made = type(layer)(made.num_features, eps=made.eps, momentum=made.momentum)
    held = {key: tensor for key, tensor in _tensors(layer).items() if tensor.is_floating_point()}
    for tensor in held.values():
        made.to(device=tensor.device, dtype=tensor.dtype)
    both = _tensors(made).keys() & _tensors(layer).keys()
    kept = {*_KEPT, *_STATISTICS} if both >= set(_STATISTICS) else set(_KEPT)
    for key, tensor in _tensors(made).items():
        old = _tensors(layer).get(key)
        if key in kept and old is not None and old.shape == tensor.shape:
            tensor.copy_(old)
            tensor.requires_grad_(old.requires_grad)
    return made.train(layer.training)


def _tensors(layer: nn.Module) -> dict[str, torch.Tensor]:
    return {**dict(layer.named_parameters()), **dict(layer.named_buffers())}


def _differs(layer: nn.Module, conv: type[nn.Conv3d]) -> bool:
    """Whether a layer is a 3D convolution in front of a norm, plain or some norm's, but not this norm's own."""
    if not isinstance(layer, nn.Conv3d) or layer.bias is not None:
        return False
    known = type(layer).forward in [convolution.forward for convolution in _CONVOLUTIONS]
    return known and type(layer).forward is not conv.forward


def _convolution(layer: Any, conv: type[nn.Conv3d]) -> nn.Conv3d:
    """Make a convolution of another class with the same weight."""
    with torch.device("meta"):  # its own initial weight is not needed, and must not draw random numbers
        made = conv(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            bias=False,
            padding_mode=layer.padding_mode,
        )
    made.weight = layer.weight
    return made.train(layer.training)
