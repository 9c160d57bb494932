"""I3D networks and their 2D-stem relatives: one table of numbers, and variants as differences from it.

`i3d_r50` is the network of Table 8 of the GN paper: the ResNet-50 I3D of the Non-local paper (Wang et al., CVPR 2018,
table 1 with inflated 3x1x1 kernels) in the form of its released code.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from videogn.choices import NORM, NUM_CLASSES
from videogn.models.assembly import Architecture, BlockNetwork, assemble
from videogn.models.input_size import Layer, PoolWindow
from videogn.norm import NormFactory, make_norm

_R50 = Architecture()
_R50_8X8 = replace(_R50, conv1=_R50.conv1._replace(stride=(1, 2, 2)), pool1=Layer((1, 3, 3), (1, 2, 2), (0, 1, 1)))
_R50_8X8_UNPADDED = replace(_R50_8X8, pool1=Layer((1, 3, 3), (1, 2, 2)))
TINY = replace(_R50_8X8, width=16, temporal_kernels=((3,), (3,), (3,), (3,)))
_R101 = replace(_R50, temporal_kernels=((3, 3, 3), (3, 1, 3, 1), (3, 1) * 11 + (3,), (1, 3, 1)))
_R18 = replace(_R50, temporal_kernels=((3, 3), (3, 1), (3, 1), (1, 3)), bottlenecks=False)
_IMAGE_STEM = replace(_R50_8X8, conv1=Layer((1, 7, 7), (1, 2, 2), (0, 3, 3)))
_C2D = replace(_IMAGE_STEM, temporal_kernels=((1,) * 3, (1,) * 4, (1,) * 6, (1,) * 3))
_SLOW = replace(_C2D, temporal_kernels=((1,) * 3, (1,) * 4, (3,) * 6, (3,) * 3), pool2=None)


def i3d_r50(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (None, 7, 7),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """ResNet-50 I3D of the GN paper's Table 8: 28,043,472 parameters, 32.830 GMAC at 32 x 224 x 224.

    Args:
        num_classes: Number of classes K. Default: 400.
        norm: Norm of all layers, by name or as a factory; see `videogn.norm.make_norm`. Default: "gn".
        norm_options: Options of the norm, for instance {"groups": 32}. Default: none.
        dropout: Probability of dropping a feature before the classifier. Default: 0.5.
        pool_window: Window (T', H', W') of the head's average; None averages the whole axis. The default, all of time
            and 7 x 7 positions, leaves one position of a 224 x 224 crop and more of larger frames. Use (None, 4, 4)
            to train on 112 x 112 crops.
        memory_mode: Activations that are kept for the backward pass, plain, lean, block or stage; see
            `videogn.models.recompute.MEMORY_MODES`. The others are computed again, bit for bit. Default: "plain".
        stochastic_depth: Probability of leaving out the last block's branch in training, for each clip of a batch. It
            grows linearly from 0 in the first block. Default: 0.

    Returns:
        A module from clips (B, 3, T, H, W), float, to logits (B, K, T', H', W').

    Raises:
        ValueError: A name, an option or a number is wrong.

    Example:
        >>> import torch
        >>> from videogn.models import i3d_r50
        >>> model = i3d_r50(num_classes=5, norm="gn").eval()
        >>> clips = torch.randn(1, 3, 8, 224, 256)
        >>> with torch.inference_mode():
        ...     logits = model(clips)
        >>> logits.shape  # one position in time and height, two in width
        torch.Size([1, 5, 1, 1, 2])
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_R50, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def i3d_r50_8x8(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (4, 7, 7),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """The 8 x 8 variant, pytorchvideo's hub `i3d_r50` key for key; its weights are BatchNorm's.

    It differs from `i3d_r50` in the stem: no temporal stride, and a padded pool without one. Arguments as there.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_R50_8X8, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def i3d_r50_8x8_unpadded(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (None, 7, 7),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """The 8 x 8 variant of the Non-local release, which is also that of its 32 x 4 files.

    It differs from `i3d_r50_8x8` in the stem's pool, which is not padded, as that of `i3d_r50`. Arguments as there.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_R50_8X8_UNPADDED, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def i3d_r101(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (None, 7, 7),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """ResNet-101 I3D of the Non-local release: `i3d_r50` with 23 blocks in res4, every other one inflated.

    Arguments as for `i3d_r50`.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_R101, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def i3d_r18(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (None, 7, 7),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """ResNet-18 as an I3D: two 3x3 convolutions a block, the first one 3x3x3 where `i3d_r50` has 3x1x1.

    No paper's network: a small one that torchvision's 2D ResNet-18 fits. Arguments as for `i3d_r50`.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_R18, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def slow_r50(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (8, 7, 7),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """The slow pathway of SlowFast, pytorchvideo's hub `slow_r50` key for key (8 x 8; Feichtenhofer et al. 2019).

    No temporal kernels before res4 and no pool in time. Arguments as for `i3d_r50`.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_SLOW, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def c2d_r50(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (4, 7, 7),
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """ResNet-50 without temporal kernels, pytorchvideo's hub `c2d_r50` key for key (8 x 8; Wang et al. 2018).

    Time meets in the pool after res2 and in the head only. Arguments as for `i3d_r50`.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return assemble(_C2D, factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth)


def i3d_tiny(
    num_classes: int = 8,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (None, None, None),
    width: int = 16,
    memory_mode: str = "plain",
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """A narrow I3D for CPUs and small frames: one inflated bottleneck per stage, behind the stem of the 8 x 8 variant.

    Arguments as for `i3d_r50`, and `width`, the number of output channels of the stem (default: 16; a multiple of 4 for
    the default groups). Norms with groups have 4 by default: 32 do not divide its channels.
    """
    factory = few_groups(make_norm(norm, **(norm_options or {})))
    return assemble(
        replace(TINY, width=width), factory, num_classes, dropout, pool_window, memory_mode, stochastic_depth
    )


def few_groups(factory: NormFactory) -> NormFactory:
    """Let a norm of groups have 4 in a narrow network, unless its options say how many: 32 would not divide it."""
    if factory.options.keys() & {"groups", "channels_per_group", "max_groups"}:
        return factory
    return factory.with_defaults(groups=4)
