"""I3D builders: tables of numbers passed on to pytorchvideo's stem and stages.

The network of Table 8 of the GN paper is the ResNet-50 I3D of the Non-local paper (Wang et al., CVPR 2018, table 1 with
inflated 3x1x1 kernels), in the form of its released code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pytorchvideo.models.resnet import create_bottleneck_block, create_res_block
from pytorchvideo.models.stem import create_res_basic_stem
from torch import Tensor, nn

from videogn.checks import check_choice
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
from videogn.norm import NormFactory, make_conv, make_norm

Triple = tuple[int, int, int]

#: Temporal kernel of each block's first convolution, res2 to res5, in the 32-frame baseline (3 = inflated).
_I3D_TEMPORAL_KERNELS = ((3, 3, 3), (3, 1, 3, 1), (3, 1, 3, 1, 3, 1), (1, 3, 1))
_BOTTLENECK_EXPANSION = 4


class I3D(nn.Module):
    """Stem, res2, pool2, res3 to res5 and head, in a list named as in pytorchvideo's `Net`.

    Args:
        blocks: stem, res2, pool2, res3, res4, res5, head.
        minimum: smallest (T, H, W) that leaves at least one position.
    """

    def __init__(self, blocks: Sequence[nn.Module], minimum: Triple) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.minimum = minimum

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W), float -> logits (B, K, T', H', W'), one per position of the head's pool window.

        Raises:
            ValueError: the input is not (B, 3, T, H, W), or smaller than `minimum`.
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
    num_classes: int = 400,
    norm: str = "gn",
    norm_options: dict[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (None, 7, 7),
    memory_mode: str = "plain",
) -> I3D:
    """ResNet-50 I3D of the GN paper's Table 8: 28,043,472 parameters, 32.830 GMAC at 32 x 224 x 224.

    The head averages over all of time (T / 8) and 7 x 7 positions, what a 224 x 224 crop leaves; larger frames give
    more than one position.

    Args:
        num_classes: K.
        norm: a name of `videogn.norm.NORMS`.
        norm_options: that norm's options, for instance {"groups": 32}.
        dropout: probability of dropping a feature before the classifier.
        pool_window: window of the head's average over (T', H', W'); None averages that axis whole. Use
            (None, 4, 4) to train on 112 x 112 crops.
        memory_mode: what the forward pass keeps for the backward pass: plain, lean, block or stage (everything, ...,
            the inputs of the stages only); the rest is computed again, to the same bits.

    Returns:
        A module from (B, 3, T, H, W) float to logits (B, K, T', H', W').
    """
    return _build_i3d(
        num_classes,
        make_norm(norm, **(norm_options or {})),
        make_conv(norm),
        dropout=dropout,
        pool_window=pool_window,
        memory_mode=memory_mode,
        width=64,
        temporal_kernels=_I3D_TEMPORAL_KERNELS,
        stem_temporal_stride=2,
        pool1=((2, 3, 3), (2, 2, 2), (0, 0, 0)),
    )


def i3d_r50_8x8(
    num_classes: int = 400,
    norm: str = "bn",
    norm_options: dict[str, Any] | None = None,
    dropout: float = 0.5,
    pool_window: PoolWindow = (4, 7, 7),
    memory_mode: str = "plain",
) -> I3D:
    """The 8 x 8 variant of pytorchvideo's hub `i3d_r50`; the state dict has the same keys and shapes.

    It differs from `i3d_r50` in the stem only: no temporal stride, and a padded pool without one.

    Args:
        num_classes: K.
        norm: a name of `videogn.norm.NORMS`; the hub's weights are BatchNorm's.
        norm_options: that norm's options.
        dropout: probability of dropping a feature before the classifier.
        pool_window: window of the head's average over (T', H', W'); None averages that axis whole.
        memory_mode: what the forward pass keeps for the backward pass: plain, lean, block or stage, as in `i3d_r50`.

    Returns:
        A module from (B, 3, T, H, W) float to logits (B, K, T', H', W').
    """
    return _build_i3d(
        num_classes,
        make_norm(norm, **(norm_options or {})),
        make_conv(norm),
        dropout=dropout,
        pool_window=pool_window,
        memory_mode=memory_mode,
        width=64,
        temporal_kernels=_I3D_TEMPORAL_KERNELS,
        stem_temporal_stride=1,
        pool1=((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    )


#: 32 groups do not divide the narrow network's channels; 4 leaves 4 channels a group in its narrowest layers.
_TINY_NORM_OPTIONS: dict[str, dict[str, Any]] = {"gn": {"groups": 4}, "ws+gn": {"groups": 4}, "bcn": {"groups": 4}}


def i3d_tiny(
    num_classes: int = 8,
    norm: str = "gn",
    norm_options: dict[str, Any] | None = None,
    dropout: float = 0.0,
    pool_window: PoolWindow = (None, None, None),
    width: int = 16,
    memory_mode: str = "plain",
) -> I3D:
    """A narrow I3D for a CPU and small frames: one bottleneck a stage, inflated in every stage, width 16.

    It has the 8 x 8 variant's stem, since its clips are short.

    Args:
        num_classes: K.
        norm: a name of `videogn.norm.NORMS`.
        norm_options: that norm's options; the norms with groups take 4 unless they say otherwise.
        dropout: probability of dropping a feature before the classifier.
        pool_window: window of the head's average over (T', H', W'); None averages that axis whole.
        width: channels of the stem; a multiple of 4 for the default groups.
        memory_mode: what the forward pass keeps for the backward pass: plain, lean, block or stage, as in `i3d_r50`.

    Returns:
        A module from (B, 3, T, H, W) float to logits (B, K, T', H', W').
    """
    norm_options = norm_options or {}
    if not norm_options.keys() & {"groups", "channels_per_group"}:
        norm_options = {**_TINY_NORM_OPTIONS.get(norm, {}), **norm_options}
    return _build_i3d(
        num_classes,
        make_norm(norm, **norm_options),
        make_conv(norm),
        dropout=dropout,
        pool_window=pool_window,
        memory_mode=memory_mode,
        width=width,
        temporal_kernels=((3,), (3,), (3,), (3,)),
        stem_temporal_stride=1,
        pool1=((1, 3, 3), (1, 2, 2), (0, 1, 1)),
    )


def _build_i3d(
    num_classes: int,
    norm: NormFactory,
    conv: type[nn.Conv3d],
    *,
    dropout: float,
    pool_window: PoolWindow,
    memory_mode: str,
    width: int,
    temporal_kernels: tuple[tuple[int, ...], ...],
    stem_temporal_stride: int,
    pool1: tuple[Triple, Triple, Triple],
) -> I3D:
    """Stem (5 x 7 x 7), four stages of bottlenecks, a 2 x 1 x 1 pool after res2, head."""
    check_choice("memory_mode", memory_mode, MEMORY_MODES)

    def pytorchvideo_norm(num_features: int, eps: float, momentum: float) -> nn.Module:
        # pytorchvideo passes BatchNorm's options to every norm; ours carries its own.
        return norm(num_features)

    layers = create_res_basic_stem(
        in_channels=3,
        out_channels=width,
        conv=conv,
        conv_kernel_size=(5, 7, 7),
        conv_stride=(stem_temporal_stride, 2, 2),
        conv_padding=(2, 3, 3),
        pool_kernel_size=pool1[0],
        pool_stride=pool1[1],
        pool_padding=pool1[2],
        norm=pytorchvideo_norm,
    )
    stem = Stem(layers, memory_mode)
    stages = []
    channels = width
    for number, kernels in enumerate(temporal_kernels):
        inner = width * 2**number
        stage = _stage(channels, inner, kernels, 1 if number == 0 else 2, pytorchvideo_norm, conv, memory_mode)
        stages.append(stage)
        channels = inner * _BOTTLENECK_EXPANSION
    head = FullyConvolutionalHead(channels, num_classes, pool_window, dropout)
    initialise(stem, stages, head)
    pool2 = MaxPool((2, 1, 1), memory_mode)
    minimum = _minimum_input(stem_temporal_stride, pool1, pool_window)
    return I3D([stem, stages[0], pool2, *stages[1:], head], minimum)


def _stage(
    channels: int,
    inner: int,
    temporal_kernels: tuple[int, ...],
    stride: int,
    norm: Callable[..., nn.Module],
    conv: type[nn.Conv3d],
    memory_mode: str,
) -> ResidualStage:
    """A residual stage as pytorchvideo's `create_res_stage` makes it, which cannot choose the shortcut's convolution.

    Args:
        channels: of the input.
        inner: channels of the bottlenecks; their output has 4 times as many.
        temporal_kernels: of each block's first convolution.
        stride: over H and W, in the first block.
        norm: called with pytorchvideo's arguments.
        conv: of all the convolutions, the projection shortcut's too.
        memory_mode: of the blocks and the stage.
    """
    blocks = []
    for number, kernel in enumerate(temporal_kernels):
        first = number == 0
        block = create_res_block(
            dim_in=channels if first else inner * _BOTTLENECK_EXPANSION,
            dim_inner=inner,
            dim_out=inner * _BOTTLENECK_EXPANSION,
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


def _minimum_input(stem_temporal_stride: int, pool1: tuple[Triple, Triple, Triple], window: PoolWindow) -> Triple:
    """Smallest (T, H, W) that leaves one position: the layers' kernels, strides and paddings run backwards."""
    conv1 = ((5, 7, 7), (stem_temporal_stride, 2, 2), (2, 3, 3))
    pool2 = ((2, 1, 1), (2, 1, 1), (0, 0, 0))
    halving = ((1, 3, 3), (1, 2, 2), (0, 1, 1))  # the first 3x3 of res3, res4 and res5
    sizes = []
    for axis in range(3):
        size = window[axis] or 1
        for kernel, stride, padding in (halving, halving, halving, pool2, pool1, conv1):
            size = max((size - 1) * stride[axis] + kernel[axis] - 2 * padding[axis], 1)
        sizes.append(size)
    return sizes[0], sizes[1], sizes[2]
