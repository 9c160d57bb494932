"""Stem and residual blocks of a video ResNet, with a memory mode, and their initialisation.

Parameters and buffers have pytorchvideo's names, so that its checkpoints fit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from torch import Tensor, nn

from videogn.models.fused_norms import activated, takes_sum
from videogn.models.head import FullyConvolutionalHead
from videogn.models.recompute import recompute
from videogn.norm import NormFactory


class Stem(nn.Module):
    """Convolution, norm, activation, max pool.

    The convolution has a quarter of the network's multiply-adds, so only the mode stage runs it again.

    Args:
        conv: Convolution.
        norm: Norm of its output.
        activation: Activation of what the norm gives.
        pool: Max pool; the identity where there is none.
        memory_mode: plain; lean or block, which keep the output of the convolution; or stage, which keeps the clips.
    """

    def __init__(
        self, conv: nn.Module, norm: nn.Module, activation: nn.Module, pool: nn.Module, memory_mode: str
    ) -> None:
        super().__init__()
        self.conv, self.norm, self.activation, self.pool = conv, norm, activation, pool
        self.memory_mode = memory_mode

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) -> features (B, C, T', H', W')."""
        if self.memory_mode == "stage":
            return recompute(self._whole, [self], x)
        if self.memory_mode == "plain":
            return self._whole(x)
        return recompute(self._after_convolution, [self], self.conv(x))

    def _whole(self, x: Tensor) -> Tensor:
        return self._after_convolution(self.conv(x))

    def _after_convolution(self, x: Tensor) -> Tensor:
        return self.pool(activated(self.norm, self.activation, x))


class MaxPool(nn.MaxPool3d):
    """Max pool that keeps its indices, 8 bytes each, only in the mode plain; its input is kept by the layer before.

    Args:
        kernel_size: Kernel and stride over (T, H, W).
        memory_mode: plain, lean, block or stage.
    """

    def __init__(self, kernel_size: tuple[int, int, int], memory_mode: str) -> None:
        super().__init__(kernel_size, kernel_size)
        self.memory_mode = memory_mode

    def forward(self, input: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C, T', H', W')."""
        if self.memory_mode == "plain":
            return super().forward(input)
        return recompute(super().forward, [], input)


class Bottleneck(nn.Module):
    """Three convolutions, each with its norm, and an activation after the first two.

    Args:
        convolutions: The three convolutions.
        norms: Norms of their outputs.
        activations: Activations of the first two.
        memory_mode: lean keeps the outputs of the first two convolutions. In the other modes the bottleneck keeps
            everything, unless the block around it runs again.
    """

    def __init__(
        self,
        convolutions: tuple[nn.Module, nn.Module, nn.Module],
        norms: tuple[nn.Module, nn.Module, nn.Module],
        activations: tuple[nn.Module, nn.Module],
        memory_mode: str,
    ) -> None:
        super().__init__()
        self.conv_a, self.norm_a, self.act_a = convolutions[0], norms[0], activations[0]
        self.conv_b, self.norm_b, self.act_b = convolutions[1], norms[1], activations[1]
        self.conv_c, self.norm_c = convolutions[2], norms[2]
        self.memory_mode = memory_mode

    @property
    def last_norm(self) -> nn.Module:
        """The norm whose gamma starts at 0."""
        return self.norm_c

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C', T, H', W')."""
        x = self.conv_a(x)
        if self.memory_mode == "lean":
            return recompute(
                self._after_second,
                [self.norm_b, self.conv_c, self.norm_c],
                recompute(self._to_second, [self.norm_a, self.conv_b], x),
            )
        return self._after_second(self._to_second(x))

    def before_last_norm(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C', T, H', W'), the input of the last norm; nothing runs again."""
        return self._third(self._to_second(self.conv_a(x)))

    def _to_second(self, x: Tensor) -> Tensor:
        # The second run stops before the convolution: its gradient needs its input, and its output is kept.
        return self.conv_b(activated(self.norm_a, self.act_a, x))

    def _after_second(self, x: Tensor) -> Tensor:
        return self.norm_c(self._third(x))

    def _third(self, x: Tensor) -> Tensor:
        return self.conv_c(activated(self.norm_b, self.act_b, x))


class BasicBranch(nn.Module):
    """Two 3x3 convolutions, the first with an extent in time, each with its norm; an activation after the first.

    Args:
        channels: Number of input channels.
        out_channels: Number of channels of both convolutions.
        kernel: Temporal kernel of the first convolution.
        stride: Stride over H and W of the first convolution.
        norm: Norm; its convolution is that of both layers.
        memory_mode: lean keeps the outputs of the convolutions. In the other modes the branch keeps everything, unless
            the block around it runs again.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        kernel: int,
        stride: int,
        norm: NormFactory,
        memory_mode: str,
    ) -> None:
        super().__init__()
        padding = (kernel // 2, 1, 1)
        self.conv_a = norm.conv(channels, out_channels, (kernel, 3, 3), (1, stride, stride), padding, bias=False)
        self.norm_a, self.act_a = norm(out_channels), norm.activation(out_channels)
        self.conv_b = norm.conv(out_channels, out_channels, (1, 3, 3), 1, (0, 1, 1), bias=False)
        self.norm_b = norm.last(out_channels)
        self.memory_mode = memory_mode

    @property
    def last_norm(self) -> nn.Module:
        """The norm whose gamma starts at 0."""
        return self.norm_b

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C', T, H', W')."""
        x = self.conv_a(x)
        if self.memory_mode == "lean":
            return self.norm_b(recompute(self._to_second, [self.norm_a, self.conv_b], x))
        return self.norm_b(self._to_second(x))

    def before_last_norm(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C', T, H', W'), the input of the last norm; nothing runs again."""
        return self._to_second(self.conv_a(x))

    def _to_second(self, x: Tensor) -> Tensor:
        return self.conv_b(activated(self.norm_a, self.act_a, x))


class ResidualBlock(nn.Module):
    """Activation of the sum of a shortcut and a branch of convolutions.

    Args:
        branch1_conv: Projection shortcut, or None for the identity.
        branch1_norm: Norm of the projection, or None.
        branch2: Bottleneck or basic branch.
        activation: Activation of the sum.
        memory_mode: block and stage keep the input of the block; plain and lean leave it to its layers.
    """

    def __init__(
        self,
        branch1_conv: nn.Module | None,
        branch1_norm: nn.Module | None,
        branch2: Bottleneck | BasicBranch,
        activation: nn.Module,
        memory_mode: str,
    ) -> None:
        super().__init__()
        self.branch1_conv, self.branch1_norm = branch1_conv, branch1_norm
        self.branch2 = branch2
        self.drop: nn.Module | None = None  # leaves out the branch of some clips, see stochastic_depth.py
        self.activation = activation
        self.memory_mode = memory_mode

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C', T, H', W')."""
        if self.memory_mode == "plain" and self.drop is None and takes_sum(self.branch2, self.activation):
            return activated(
                self.branch2.last_norm, self.activation, self.branch2.before_last_norm(x), self._shortcut(x)
            )
        if self.memory_mode in ("block", "stage"):
            shortcut, features = recompute(self._branches, [self], x, within=self.memory_mode == "stage")
        else:
            shortcut, features = self._branches(x)
        if self.drop is not None:
            features = self.drop(features)
        # The sum and its activation never run again: they keep nothing but the next block's input.
        return self.activation(shortcut + features)

    def _branches(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self._shortcut(x), self.branch2(x)

    def _shortcut(self, x: Tensor) -> Tensor:
        shortcut = x if self.branch1_conv is None else self.branch1_conv(x)
        # A projection that changes only the resolution has no norm in X3D.
        return shortcut if self.branch1_norm is None else self.branch1_norm(shortcut)


class ResidualStage(nn.Module):
    """A sequence of residual blocks.

    Args:
        blocks: Residual blocks.
        memory_mode: stage keeps the input of the stage; the other modes leave it to the blocks.
    """

    def __init__(self, blocks: Iterable[ResidualBlock], memory_mode: str) -> None:
        super().__init__()
        self.res_blocks = nn.ModuleList(blocks)
        self.memory_mode = memory_mode

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, C', T, H', W')."""
        return recompute(self._in_a_row, [self], x) if self.memory_mode == "stage" else self._in_a_row(x)

    def _in_a_row(self, x: Tensor) -> Tensor:
        for block in self.res_blocks:
            x = block(x)
        return x


def initialise(stem: Stem, stages: Sequence[ResidualStage], head: FullyConvolutionalHead) -> None:
    """Initialise a network in the same way for every norm.

    Convolutions: normal, fan-out (He et al. 2015), no bias. Classifier: N(0, 0.01), bias 0. The gammas of the norms
    stay 1, except in the last norm of every residual block, where gamma is 0 so that the block starts as its shortcut
    (Goyal et al. 2017, section 5.1; GN paper, section 4.1). pytorchvideo does so for BatchNorm only, which would
    confound a comparison of norms. Every norm has the gamma of its last affine map in `weight`.

    Args:
        stem: Stem.
        stages: res2 to res5.
        head: Head with the classifier.
    """
    for module in (stem, *stages):
        for layer in module.modules():
            if isinstance(layer, nn.Conv3d):
                # fan-out = output channels x kernel volume
                std = math.sqrt(2.0 / (layer.out_channels * math.prod(layer.kernel_size)))
                nn.init.normal_(layer.weight, 0.0, std)
    for stage in stages:
        for block in stage.res_blocks:
            nn.init.zeros_(block.branch2.last_norm.weight)  # type: ignore[union-attr, arg-type]
    nn.init.normal_(head.proj.weight, 0.0, 0.01)
    nn.init.zeros_(head.proj.bias)
