"""The table of networks, and the one way to build a network by name."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from videogn.choices import NORM
from videogn.extensions import check_options, find
from videogn.models import (
    i3d,
    image_networks,
    pytorchvideo_mvit,
    pytorchvideo_networks,
    slowfast,
    torchvision_networks,
    vgg,
)
from videogn.models.norm_conversion import OWN_NORM
from videogn.norm import NORMS, make_norm

_Builders = tuple[Callable[..., nn.Module], ...]

#: Networks of our own blocks, which ask the norm what belongs where: any norm fits.
_OF_BLOCKS: _Builders = (
    i3d.i3d_r50,
    i3d.i3d_r50_8x8,
    i3d.i3d_r50_8x8_unpadded,
    i3d.i3d_r101,
    i3d.i3d_r18,
    i3d.i3d_tiny,
    i3d.slow_r50,
    i3d.c2d_r50,
    image_networks.resnet50,
    image_networks.resnet101,
    image_networks.resnet_tiny,
    image_networks.resnet_cifar,
    vgg.vgg16,
)
#: Networks whose BatchNorm layers are replaced: norms that are layers only fit.
_CONVERTED: _Builders = (
    pytorchvideo_networks.x3d_xs,
    pytorchvideo_networks.x3d_s,
    pytorchvideo_networks.x3d_m,
    pytorchvideo_networks.x3d_l,
    pytorchvideo_networks.r2plus1d_r50,
    pytorchvideo_networks.csn_r101,
    slowfast.slowfast_r50,
    torchvision_networks.r3d_18,
    torchvision_networks.mc3_18,
    torchvision_networks.r2plus1d_18,
    torchvision_networks.s3d,
)
#: Transformers, which keep their own.
_WITH_THEIR_OWN: _Builders = (
    pytorchvideo_mvit.mvit_base_16x4,
    pytorchvideo_mvit.mvit_base_32x3,
    torchvision_networks.mvit_v1_b,
    torchvision_networks.mvit_v2_s,
    torchvision_networks.swin3d_t,
    torchvision_networks.swin3d_s,
    torchvision_networks.swin3d_b,
)
#: Architecture name -> builder `(num_classes, norm, ...) -> nn.Module`; the names that `--model.arch` takes.
MODELS = {builder.__name__: builder for builder in (*_OF_BLOCKS, *_CONVERTED, *_WITH_THEIR_OWN)}


def norms_of(arch: str) -> list[str]:
    """List the norms of `videogn.norm.NORMS` that a network takes.

    Args:
        arch: A key of `MODELS`.
    """
    if MODELS[arch] in _WITH_THEIR_OWN:
        return [OWN_NORM]
    return [name for name in NORMS if MODELS[arch] in _OF_BLOCKS or make_norm(name).is_layer_only]


def make_model(
    arch: str,
    num_classes: int,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    arch_options: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Build a network by name.

    Args:
        arch: A key of `MODELS`, the name of an entry point in the group `videogn.models`, or the dotted path of a
            builder. A builder is called as `builder(num_classes, norm, **arch_options)`, where `norm` is a factory
            `(num_channels) -> nn.Module`.
        num_classes: Number of classes K.
        norm: Norm by name or as a factory; see `videogn.norm.make_norm`. Default: "gn".
        norm_options: Options of the norm. Default: none.
        arch_options: Further arguments of the builder, by name. Default: none.

    Returns:
        A module from clips (B, 3, T, H, W), float, to logits (B, K, T', H', W'). A network that returns (B, K) has one
        position: its logits are reshaped to (B, K, 1, 1, 1).

    Raises:
        ValueError: A name or an option is unknown, or a builder cannot be imported.
    """
    builder = find("arch", arch, MODELS, "videogn.models")
    factory = make_norm(norm, **(norm_options or {}))
    options = arch_options or {}
    check_options(f"arch {arch!r}", builder, options, positional=2)
    model = builder(num_classes, factory, **options)
    model.register_forward_hook(functools.partial(_with_positions, num_classes))
    return model


def _with_positions(num_classes: int, model: nn.Module, inputs: Any, logits: Tensor) -> Tensor:
    """Give logits their axes T', H', W'."""
    if logits.ndim not in (2, 5) or logits.shape[1] != num_classes:
        raise ValueError(
            f"a network must return logits (B, {num_classes}) or (B, {num_classes}, T', H', W'), "
            f"{type(model).__name__} returned {tuple(logits.shape)}"
        )
    return logits[..., None, None, None] if logits.ndim == 2 else logits
