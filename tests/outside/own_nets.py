"""Networks that are no part of videogn, as a user would write them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from torch import Tensor, nn


class SmallNet(nn.Module):
    """Two convolutions and a classifier over the average of all positions."""

    def __init__(self, num_classes: int, norm: Callable[[int], nn.Module], width: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv3d(3, width, 3, stride=2, padding=1, bias=False), norm(width), nn.ReLU(),
            nn.Conv3d(width, 2 * width, 3, stride=2, padding=1, bias=False), norm(2 * width), nn.ReLU(),
        )  # fmt: skip
        self.classifier = nn.Linear(2 * width, num_classes)

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) -> logits (B, K)."""
        return self.classifier(self.features(clips).mean(dim=(2, 3, 4)))


def small_net(num_classes: int, norm: Callable[[int], nn.Module], width: int = 8) -> nn.Module:
    """A builder as `--model.arch` takes it."""
    return SmallNet(num_classes, norm, width)


def positions_net(num_classes: int, norm: Callable[[int], nn.Module], width: int = 8) -> nn.Module:
    """A builder of a network with logits at every position, (B, K, T', H', W')."""
    return nn.Sequential(nn.Conv3d(3, width, 3, stride=2, padding=1), norm(width), nn.Conv3d(width, num_classes, 1))


def wrong_net(num_classes: int, norm: Callable[[int], nn.Module]) -> nn.Module:
    """A builder of a network whose output is not logits."""
    return nn.Conv3d(3, num_classes + 1, 1)


class FatalNet(SmallNet):
    """A network that a white video kills, with its process."""

    def forward(self, clips: Tensor) -> Tensor:
        """Clips (B, 3, T, H, W) -> logits (B, K)."""
        if clips.min() > 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(clips)


def fatal_net(num_classes: int, norm: Callable[[int], nn.Module], width: int = 8) -> nn.Module:
    """Its builder."""
    return FatalNet(num_classes, norm, width)
