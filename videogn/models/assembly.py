"""From a table of numbers to a video ResNet, layer for layer that of pytorchvideo, with a memory mode."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from videogn.checks import check_choice
from videogn.models.blocks import (
    BasicBranch,
    Bottleneck,
    MaxPool,
    ResidualBlock,
    ResidualStage,
    Stem,
    initialise,
)
from videogn.models.head import FullyConvolutionalHead
from videogn.models.input_size import InputSize, Layer, PoolWindow
from videogn.models.recompute import MEMORY_MODES
from videogn.models.stochastic_depth import leave_out
from videogn.norm import NormFactory

_STAGES = ("stem", "res2", "res3", "res4", "res5")
#: Output channels of a bottleneck, in multiples of its inner channels.
_EXPANSION = 4


#: The first 3x3 convolution of res3, res4 and res5.
_HALVING = Layer((1, 3, 3), (1, 2, 2), (0, 1, 1))
_CONV1 = Layer((5, 7, 7), (2, 2, 2), (2, 3, 3))
_POOL1 = Layer((2, 3, 3), (2, 2, 2))
_POOL2 = Layer((2, 1, 1), (2, 1, 1))


@dataclass(frozen=True)
class Architecture:
    """The numbers of an I3D, by default those of the 32-frame baseline.

    Attributes:
        width: Number of output channels of the stem.
        conv1: First convolution.
        pool1: Max pool of the stem, or None.
        pool2: Max pool after res2, or None.
        temporal_kernels: Temporal kernel of each block's first convolution (3 = inflated), for each stage from res2
            on, mostly up to res5. Where all are 1, and conv1 has no extent in time, it is a network for images.
        bottlenecks: Whether a block is a bottleneck, as from ResNet-50 on, or two 3x3 convolutions.
    """

    width: int = 64
    conv1: Layer = _CONV1
    pool1: Layer | None = _POOL1
    pool2: Layer | None = _POOL2
    temporal_kernels: tuple[tuple[int, ...], ...] = ((3, 3, 3), (3, 1, 3, 1), (3, 1, 3, 1, 3, 1), (1, 3, 1))
    bottlenecks: bool = True


class BlockNetwork(nn.Module):
    """Stem, stages, pools and head, in a list named as in pytorchvideo's `Net`.

    Args:
        blocks: The blocks, from stem to head.
        input_size: What the blocks ask of an input.

    Attributes:
        minimum: Smallest input (T, H, W) that leaves at least one position.
        stage_names: Stage, stem and res2 to res5 -> name of its module.
    """

    def __init__(self, blocks: Sequence[nn.Module], input_size: InputSize) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.input_size = input_size
        self.minimum = input_size.minimum
        weighty = [f"blocks.{number}" for number, block in enumerate(blocks) if block.state_dict()]  # pools are none
        self.stage_names = dict(zip(_STAGES, weighty[:-1], strict=False))

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


def assemble(
    architecture: Architecture,
    norm: NormFactory,
    num_classes: int,
    dropout: float,
    pool_window: PoolWindow,
    memory_mode: str,
    stochastic_depth: float = 0.0,
) -> BlockNetwork:
    """Build and initialise a network: stem, stages, a pool after the first, head.

    Args:
        architecture: The numbers.
        norm: Norm of all layers.
        num_classes: Number of classes K.
        dropout: Probability of dropping a feature before the classifier.
        pool_window: Window of the head's average.
        memory_mode: plain, lean, block or stage.
        stochastic_depth: Probability of leaving out the last block's branch in training, see `leave_out`. Default: 0.

    Raises:
        ValueError: The memory mode is unknown, a probability is none, or the norm does not take a number of channels.
    """
    check_choice("memory_mode", memory_mode, MEMORY_MODES)
    stem = _stem(architecture, norm, memory_mode)
    stages = []
    channels = architecture.width
    for number, kernels in enumerate(architecture.temporal_kernels):
        inner = architecture.width * 2**number
        stride = 1 if number == 0 else 2
        make = _bottlenecks if architecture.bottlenecks else _basic_blocks
        stages.append(ResidualStage(make(channels, inner, kernels, stride, norm, memory_mode), memory_mode))
        channels = inner * (_EXPANSION if architecture.bottlenecks else 1)
    head = FullyConvolutionalHead(channels, num_classes, pool_window, dropout)
    initialise(stem, stages, head)
    leave_out([block for stage in stages for block in stage.res_blocks], stochastic_depth)
    pools = [] if architecture.pool2 is None else [architecture.pool2]
    pool1 = [] if architecture.pool1 is None else [architecture.pool1]
    layers = (architecture.conv1, *pool1, *pools, *[_HALVING] * (len(stages) - 1))
    between = [MaxPool(pool.kernel, memory_mode) for pool in pools]
    return BlockNetwork([stem, stages[0], *between, *stages[1:], head], InputSize(layers, pool_window))


def _stem(architecture: Architecture, norm: NormFactory, memory_mode: str) -> Stem:
    width = architecture.width
    conv = norm.conv(3, width, *architecture.conv1, bias=False)
    pool = nn.Identity() if architecture.pool1 is None else nn.MaxPool3d(*architecture.pool1)
    return Stem(conv, norm(width), norm.activation(width), pool, memory_mode)


def _bottlenecks(
    channels: int, inner: int, temporal_kernels: Sequence[int], stride: int, norm: NormFactory, memory_mode: str
) -> Iterable[ResidualBlock]:
    """Make the blocks of a stage.

    Args:
        channels: Number of input channels.
        inner: Number of channels inside the bottlenecks; their output has 4 times as many.
        temporal_kernels: Temporal kernel of each block's first convolution.
        stride: Stride over H and W of the first block.
        norm: Norm; its convolution is that of all layers, including the projection shortcut.
        memory_mode: Memory mode of the blocks.
    """
    outer = inner * _EXPANSION
    for number, kernel in enumerate(temporal_kernels):
        step, before = ((1, stride, stride), channels) if number == 0 else ((1, 1, 1), outer)
        projection, projection_norm = _shortcut(before, outer, step, norm)
        convolutions = (
            norm.conv(before, inner, (kernel, 1, 1), padding=(kernel // 2, 0, 0), bias=False),
            norm.conv(inner, inner, (1, 3, 3), step, (0, 1, 1), bias=False),
            norm.conv(inner, outer, (1, 1, 1), bias=False),
        )
        norms = (norm(inner), norm(inner), norm.last(outer))
        branch = Bottleneck(convolutions, norms, (norm.activation(inner), norm.activation(inner)), memory_mode)
        yield ResidualBlock(projection, projection_norm, branch, norm.sum_activation(outer), memory_mode)


def _basic_blocks(
    channels: int, inner: int, temporal_kernels: Sequence[int], stride: int, norm: NormFactory, memory_mode: str
) -> Iterable[ResidualBlock]:
    """Make the blocks of a stage of two 3x3 convolutions each. Arguments as for bottlenecks."""
    for number, kernel in enumerate(temporal_kernels):
        step, before = (stride, channels) if number == 0 else (1, inner)
        branch = BasicBranch(before, inner, kernel, step, norm, memory_mode)
        projection, projection_norm = _shortcut(before, inner, (1, step, step), norm)
        yield ResidualBlock(projection, projection_norm, branch, norm.sum_activation(inner), memory_mode)


def _shortcut(
    channels: int, out_channels: int, stride: tuple[int, int, int], norm: NormFactory
) -> tuple[nn.Module, nn.Module] | tuple[None, None]:
    """Make the projection of a block whose shape changes, and its norm; elsewhere the shortcut is the identity."""
    if channels == out_channels and stride == (1, 1, 1):
        return None, None
    return norm.conv(channels, out_channels, (1, 1, 1), stride, bias=False), norm.shortcut(out_channels)
