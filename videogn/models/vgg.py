"""VGG-16 with any norm after its convolutions: the network of the GN paper that trains without a norm, too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor, nn

from videogn.choices import IMAGE_CLASSES, NORM
from videogn.models.input_size import Layer, SizeLimits
from videogn.models.recompute import with_memory_mode
from videogn.norm import NormFactory, make_norm

#: Output channels of each stage's convolutions, in multiples of the width (Simonyan & Zisserman 2015, column D).
_STAGES = ((1, 1), (2, 2), (4, 4, 4), (8, 8, 8), (8, 8, 8))
_POOL = Layer((1, 2, 2), (1, 2, 2))


class VGG(nn.Module):
    """Five stages of 3x3 convolutions, each stage with a max pool after it, and a classifier of three layers.

    The classifier is applied at every position, as convolutions: its first layer sees `window` x `window` of them.

    Args:
        num_classes: Number of classes K.
        norm: Norm of all convolutions but the classifier's.
        width: Number of channels of the first stage.
        window: Side of the window of the classifier's first layer, in positions of 1/32 of the input.
        hidden: Number of channels of its two hidden layers.
        dropout: Probability of dropping one of them.
    """

    def __init__(
        self, num_classes: int, norm: NormFactory, *, width: int, window: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        channels, stages = 3, []
        for factors in _STAGES:
            stages.append(_stage(channels, [factor * width for factor in factors], norm))
            channels = factors[-1] * width
        self.features = nn.Sequential(*stages)
        self.classifier = nn.Sequential(
            nn.Conv3d(channels, hidden, (1, window, window)),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv3d(hidden, hidden, 1),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv3d(hidden, num_classes, 1),
        )
        side = window * 2 ** len(_STAGES)
        SizeLimits((1, side, side)).declare(self)
        self.stage_names = {f"stage{number + 1}": f"features.{number}" for number in range(len(_STAGES))}
        self._initialise()

    def forward(self, x: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W), float, with T = 1 for images -> logits (B, K, T, H', W')."""
        logits: Tensor = self.classifier(self.features(x))
        return logits

    def _initialise(self) -> None:
        """Convolutions as those of every other network here (He et al. 2015, fan-out), linear layers N(0, 0.01)."""
        for layer in self.features.modules():
            if isinstance(layer, nn.Conv3d):
                he = math.sqrt(2.0 / (layer.out_channels * math.prod(layer.kernel_size)))
                nn.init.normal_(layer.weight, 0.0, he)
        for name, values in self.classifier.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(values, 0.0, 0.01)
            else:
                nn.init.zeros_(values)


def vgg16(
    num_classes: int = IMAGE_CLASSES,
    norm: str | Callable[..., nn.Module] = NORM,
    norm_options: Mapping[str, Any] | None = None,
    dropout: float = 0.5,
    width: int = 64,
    window: int = 7,
    hidden: int = 4096,
    memory_mode: str = "plain",
) -> nn.Module:
    """VGG-16 (Simonyan & Zisserman 2015, column D) with a norm after every 3x3 convolution, as in the GN paper.

    The norm `none` is a gain and an offset a channel, so that it is VGG-16 without a norm. For images of 32 pixels,
    which leave one position, use window 1 and fewer hidden channels: {window: 1, hidden: 512}.

    Args:
        num_classes: Number of classes K. Default: 1000.
        norm: Norm, by name or as a factory; see `videogn.norm.make_norm`. Default: "gn".
        norm_options: Options of the norm. Default: none.
        dropout: Probability of dropping a hidden channel of the classifier. Default: 0.5.
        width: Number of channels of the first stage. Default: 64.
        window: Side of what the classifier's first layer sees, in positions of 1/32 of the input. Default: 7, for 224
            pixels. Of larger images there are several positions.
        hidden: Number of hidden channels of the classifier. Default: 4096.
        memory_mode: plain, or block: the stages run again in the backward pass, bit for bit. Default: "plain".

    Returns:
        A module from clips (B, 3, T, H, W), float, with T = 1 for images, to logits (B, K, T, H', W').

    Raises:
        ValueError: A name, an option or a number is wrong.
    """
    factory = make_norm(norm, **(norm_options or {}))
    network = VGG(num_classes, factory, width=width, window=window, hidden=hidden, dropout=dropout)
    return with_memory_mode(network, list(network.features), memory_mode)


def _stage(channels: int, outputs: list[int], norm: NormFactory) -> nn.Sequential:
    layers: list[nn.Module] = []
    for out in outputs:
        layers += [norm.conv(channels, out, (1, 3, 3), padding=(0, 1, 1), bias=False), norm(out), norm.activation(out)]
        channels = out
    return nn.Sequential(*layers, nn.MaxPool3d(*_POOL))
