"""I3D networks: one table of numbers, and variants as differences from it.

`i3d_r50` is the network of Table 8 of the GN paper: the ResNet-50 I3D of the Non-local paper (Wang et al., CVPR 2018,
table 1 with inflated 3x1x1 kernels) in the form of its released code. The layers are pytorchvideo's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytorchvideo.models.resnet import create_bottleneck_block, create_res_block
from pytorchvideo.models.stem import create_res_basic_stem
from torch import Tensor, nn

from videogn.checks import check_choice
from videogn.choices import NORM, NUM_CLASSES
from videogn.models.blocks import (
    FullyConvolutionalHead,
    MaxPool,
    PoolWindow,
    ResidualBlock,
    ResidualStage,
    Stem,
    initialise,
)
from videogn.models.recompute import MEMORY_MODES
from videogn.norm import NormFactory, make_norm

Triple = tuple[int, int, int]

#: Output channels of a bottleneck, in multiples of its inner channels.
_EXPANSION = 4


@dataclass(frozen=True)
class _Layer:
    """Kernel, stride and padding over (T, H, W)."""

    kernel: Triple
    stride: Triple
    padding: Triple = (0, 0, 0)


@dataclass(frozen=True)
class _Architecture:
    """The numbers of an I3D, by default those of the 32-frame baseline.

    Attributes:
        width: Number of output channels of the stem.
        conv1: First convolution.
        pool1: Max pool of the stem.
        temporal_kernels: Temporal kernel of each block's first convolution, for res2 to res5 (3 = inflated).
    """

    width: int = 64
    conv1: _Layer = _Layer((5, 7, 7), (2, 2, 2), (2, 3, 3))
    pool1: _Layer = _Layer((2, 3, 3), (2, 2, 2))
    temporal_kernels: tuple[tuple[int, ...], ...] = ((3, 3, 3), (3, 1, 3, 1), (3, 1, 3, 1, 3, 1), (1, 3, 1))


_R50 = _Architecture()
_R50_8X8 = replace(_R50, conv1=replace(_R50.conv1, stride=(1, 2, 2)), pool1=_Layer((1, 3, 3), (1, 2, 2), (0, 1, 1)))
_R50_8X8_UNPADDED = replace(_R50_8X8, pool1=_Layer((1, 3, 3), (1, 2, 2)))
_TINY = replace(_R50_8X8, width=16, temporal_kernels=((3,), (3,), (3,), (3,)))

_POOL2 = _Layer((2, 1, 1), (2, 1, 1))
#: The first 3x3 convolution of res3, res4 and res5.
_HALVING = _Layer((1, 3, 3), (1, 2, 2), (0, 1, 1))


class I3D(nn.Module):
    """Stem, res2, pool2, res3 to res5 and head, in a list named as in pytorchvideo's `Net`.

    Args:
        blocks: Stem, res2, pool2, res3, res4, res5, head.
        minimum: Smallest input (T, H, W) that leaves at least one position.
    """

    def __init__(self, blocks: Sequence[nn.Module], minimum: Triple) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.minimum = minimum

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W), float -> logits (B, K, T', H', W'), one per position of the head's pool window.

        Raises:
            ValueError: The input is not (B, 3, T, H, W), or smaller than `minimum`.
        """
        if x.ndim != 5 or x.shape[1] != 3:
            raise ValueError(f"input must be (B, 3, T, H, W), got {tuple(x.shape)}")
        if any(size < least for size, least in zip(x.shape[2:], self.minimum, strict=True)):
            raise ValueError(
                "input must be at least T x H x W = {} x {} x {}, got {} x {} x {}".format(*self.minimum, *x.shape[2:])
            )
        for block in self.blocks:
            x = block(x)
        return x  # (B, K, T', H', W')


def i3d_r50(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (None, 7, 7),
    memory_mode: str = "plain",
) -> I3D:
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
    return _build(_R50, factory, num_classes, dropout, pool_window, memory_mode)


def i3d_r50_8x8(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = "bn",
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (4, 7, 7),
    memory_mode: str = "plain",
) -> I3D:
    """The 8 x 8 variant, pytorchvideo's hub `i3d_r50` key for key; its weights are BatchNorm's.

    It differs from `i3d_r50` in the stem: no temporal stride, and a padded pool without one. Arguments as there.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return _build(_R50_8X8, factory, num_classes, dropout, pool_window, memory_mode)


def i3d_r50_8x8_unpadded(
    num_classes: int = NUM_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (None, 7, 7),
    memory_mode: str = "plain",
) -> I3D:
    """The 8 x 8 variant of the Non-local release, which is also that of its 32 x 4 files.

    It differs from `i3d_r50_8x8` in the stem's pool, which is not padded, as that of `i3d_r50`. Arguments as there.
    """
    factory = make_norm(norm, **(norm_options or {}))
    return _build(_R50_8X8_UNPADDED, factory, num_classes, dropout, pool_window, memory_mode)


def i3d_tiny(
    num_classes: int = 8,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (None, None, None),
    width: int = 16,
    memory_mode: str = "plain",
) -> I3D:
    """A narrow I3D for CPUs and small frames: one inflated bottleneck per stage, behind the stem of the 8 x 8 variant.

    Arguments as for `i3d_r50`, and `width`, the number of output channels of the stem (default: 16; a multiple of 4 for
    the default groups). Norms with groups have 4 by default: 32 do not divide its channels.
    """
    factory = make_norm(norm, **(norm_options or {}))
    if factory.name in ("gn", "ws+gn", "bcn") and not factory.options.keys() & {"groups", "channels_per_group"}:
        factory = make_norm(factory, groups=4)
    return _build(replace(_TINY, width=width), factory, num_classes, dropout, pool_window, memory_mode)


def _build(
    architecture: _Architecture,
    norm: NormFactory,
    num_classes: int,
    dropout: float,
    pool_window: PoolWindow,
    memory_mode: str,
) -> I3D:
    """Stem, four stages of bottlenecks, a pool after the first, head."""
    check_choice("memory_mode", memory_mode, MEMORY_MODES)

    def pytorchvideo_norm(num_features: int, eps: float, momentum: float) -> nn.Module:
        # pytorchvideo passes BatchNorm's options to every norm; the factory has its own.
        return norm(num_features)

    conv1, pool1 = architecture.conv1, architecture.pool1
    layers = create_res_basic_stem(
        in_channels=3,
        out_channels=architecture.width,
        conv=norm.conv,
        conv_kernel_size=conv1.kernel,
        conv_stride=conv1.stride,
        conv_padding=conv1.padding,
        pool_kernel_size=pool1.kernel,
        pool_stride=pool1.stride,
        pool_padding=pool1.padding,
        norm=pytorchvideo_norm,
    )
    stem = Stem(layers, memory_mode)
    stages = []
    channels = architecture.width
    for number, kernels in enumerate(architecture.temporal_kernels):
        inner = architecture.width * 2**number
        stride = 1 if number == 0 else 2
        stages.append(_stage(channels, inner, kernels, stride, pytorchvideo_norm, norm.conv, memory_mode))
        channels = inner * _EXPANSION
    head = FullyConvolutionalHead(channels, num_classes, pool_window, dropout)
    initialise(stem, stages, head)
    pool2 = MaxPool(_POOL2.kernel, memory_mode)
    return I3D([stem, stages[0], pool2, *stages[1:], head], _minimum_input(architecture, pool_window))


def _stage(
    channels: int,
    inner: int,
    temporal_kernels: tuple[int, ...],
    stride: int,
    norm: Callable[..., nn.Module],
    conv: type[nn.Conv3d],
    memory_mode: str,
) -> ResidualStage:
    """Make a residual stage. pytorchvideo's `create_res_stage` cannot choose the convolution of the shortcut.

    Args:
        channels: Number of input channels.
        inner: Number of channels inside the bottlenecks; their output has 4 times as many.
        temporal_kernels: Temporal kernel of each block's first convolution.
        stride: Stride over H and W of the first block.
        norm: Norm, called with pytorchvideo's arguments.
        conv: Class of all convolutions, including the projection shortcut.
        memory_mode: Memory mode of the blocks and the stage.
    """
    blocks = []
    for number, kernel in enumerate(temporal_kernels):
        first = number == 0
        block = create_res_block(
            dim_in=channels if first else inner * _EXPANSION,
            dim_inner=inner,
            dim_out=inner * _EXPANSION,
            bottleneck=create_bottleneck_block,
            conv_a_kernel_size=(kernel, 1, 1),
            conv_a_stride=(1, 1, 1),
            conv_a_padding=(kernel // 2, 0, 0),
            conv_a=conv,
            conv_b_stride=(1, stride, stride) if first else (1, 1, 1),
            conv_b=conv,
            conv_c=conv,
            conv_skip=conv,
            norm=norm,
        )
        blocks.append(ResidualBlock(block, memory_mode))
    return ResidualStage(blocks, memory_mode)


def _minimum_input(architecture: _Architecture, window: PoolWindow) -> Triple:
    """Smallest (T, H, W) that leaves one position: the layers' kernels, strides and paddings run backwards."""
    sizes = []
    for axis in range(3):
        size = window[axis] or 1
        for layer in (_HALVING, _HALVING, _HALVING, _POOL2, architecture.pool1, architecture.conv1):
            size = max((size - 1) * layer.stride[axis] + layer.kernel[axis] - 2 * layer.padding[axis], 1)
        sizes.append(size)
    return sizes[0], sizes[1], sizes[2]
