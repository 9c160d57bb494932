"""Residual networks for images: those of i3d.py without an extent in time, so that an image is a clip of one frame.

`resnet50` and `resnet101` are the networks of section 4.1 of the GN paper, in torchvision's layout (the stride is in
the 3x3 convolutions). They take longer clips, too: convolutions see each frame by itself, norms that look at all of
them do so, and the head averages over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from videogn.choices import IMAGE_CLASSES, NORM
from videogn.models.assembly import Architecture, BlockNetwork, assemble
from videogn.models.i3d import TINY, few_groups
from videogn.models.input_size import Layer, PoolWindow
from videogn.norm import make_norm

_R50 = Architecture(
    conv1=Layer((1, 7, 7), (1, 2, 2), (0, 3, 3)),
    pool1=Layer((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    pool2=None,
    temporal_kernels=((1,) * 3, (1,) * 4, (1,) * 6, (1,) * 3),
)
_R101 = replace(_R50, temporal_kernels=((1,) * 3, (1,) * 4, (1,) * 23, (1,) * 3))
_TINY = replace(TINY, conv1=_R50.conv1, pool1=_R50.pool1, pool2=None, temporal_kernels=((1,),) * 4)
_CIFAR = Architecture(conv1=Layer((1, 3, 3), (1, 1, 1), (0, 1, 1)), pool1=None, pool2=None, bottlenecks=False)
#: Network for images -> side of the images that its size is stated for.
IMAGE_SIDES = {"resnet50": 224, "resnet101": 224, "vgg16": 224, "resnet_tiny": 32, "resnet_cifar": 32}
#: Stages of `resnet_cifar`; a basic block has two convolutions, and there are two layers besides.
_CIFAR_STAGES = 3


def resnet50(
    num_classes: int = IMAGE_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (None, None, None),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """ResNet-50 (He et al. 2016) as torchvision has it, whose weights fit: 25,557,032 parameters, 4.089 GMAC at 224.

    Args:
        num_classes: Number of classes K. Default: 1000.
        norm: Norm of all layers, by name or as a factory; see `videogn.norm.make_norm`. Default: "gn".
        norm_options: Options of the norm, for instance {"groups": 32}. Default: none.
        dropout: Probability of dropping a feature before the classifier. Default: 0.
        pool_window: Window (T', H', W') of the head's average; None averages the whole axis. Default: everything.
        memory_mode: Activations that are kept for the backward pass, plain, lean, block or stage; see
            `videogn.models.recompute.MEMORY_MODES`. Default: "plain".
        stochastic_depth: Probability of leaving out the last block's branch in training, for each image of a batch. It
            grows linearly from 0 in the first block. Default: 0.

    Returns:
        A module from clips (B, 3, T, H, W), float, with T = 1 for images, to logits (B, K, T', H', W').

    Raises:
        ValueError: A name, an option or a number is wrong.

    Example:
        >>> import torch
        >>> from videogn.models.image_networks import resnet50
        >>> model = resnet50(num_classes=5, norm="gn").eval()
        >>> images = torch.randn(2, 3, 64, 64)
        >>> with torch.inference_mode():
        ...     logits = model(images[:, :, None])  # an image is a clip of one frame
        >>> logits.shape
        torch.Size([2, 5, 1, 1, 1])
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_R50, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def resnet101(
    num_classes: int = IMAGE_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (None, None, None),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """ResNet-101 as torchvision has it: 44,549,160 parameters. Arguments as for `resnet50`."""
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_R101, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def resnet_tiny(
    num_classes: int = 10,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (None, None, None),
    width: int = 16,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """`i3d_tiny` without an extent in time: its weights inflate into an `i3d_tiny` of the same width and norm.

    Arguments as for `resnet50`, and `width`, the number of output channels of the stem (default: 16). Norms with groups
    have 4 by default, as there.
    """
    factory = few_groups(make_norm(norm, **(norm_options or {})))
    return assemble(
        replace(_TINY, width=width), factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth
    )


def resnet_cifar(
    num_classes: int = 10,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (None, None, None),
    depth: int = 20,
    width: int = 16,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """ResNet for images of 28 to 32 pixels (He et al. 2016, section 4.2): a 3x3 stem, no max pool, three stages.

    Shortcuts between stages are projections, as in the large networks, not the paper's padded identities. Arguments as
    for `resnet50`, and:

    Args:
        depth: Number of layers, 6 n + 2: n basic blocks a stage. Default: 20.
        width: Number of channels of the first stage; the next have twice and four times as many. Default: 16. Norms
            with groups have 4 by default.

    Raises:
        ValueError: The depth is no such number, or another argument is wrong.
    """
    blocks, rest = divmod(depth - 2, 2 * _CIFAR_STAGES)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6 n + 2, for instance 8, 14, 20 or 56, got {depth}")
    table = replace(_CIFAR, width=width, temporal_kernels=((1,) * blocks,) * _CIFAR_STAGES)
    factory = few_groups(make_norm(norm, **(norm_options or {})))
    return assemble(table, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)
