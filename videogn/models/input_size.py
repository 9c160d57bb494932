"""The smallest clips that a network takes, and what lets it take smaller ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import nn

Triple = tuple[int, int, int]
#: Window of the head's average pool over (T', H', W'); None stands for the whole axis.
PoolWindow = tuple[int | None, int | None, int | None]


class Layer(NamedTuple):
    """Kernel, stride and padding over (T, H, W)."""

    kernel: Triple
    stride: Triple
    padding: Triple = (0, 0, 0)


@dataclass(frozen=True)
class InputSize:
    """What the layers of a network and the pool window of its head ask of an input.

    Attributes:
        layers: Layers that make an input smaller, from the first to the last.
        window: Pool window.
    """

    layers: Sequence[Layer]
    window: PoolWindow

    @property
    def minimum(self) -> Triple:
        """Smallest (T, H, W) that leaves one position: the layers run backwards."""
        sizes = []
        for axis in range(3):
            size = self.window[axis] or 1
            for layer in reversed(self.layers):
                size = max((size - 1) * layer.stride[axis] + layer.kernel[axis] - 2 * layer.padding[axis], 1)
            sizes.append(size)
        return sizes[0], sizes[1], sizes[2]

    def takes(self, size: Sequence[int]) -> bool:
        """Return whether an input (T, H, W) is large enough."""
        return all(have >= least for have, least in zip(size, self.minimum, strict=True))

    def fitting_window(self, size: Sequence[int]) -> PoolWindow | None:
        """Return the largest pool window, up to the present one, for an input (T, H, W); None if there is none."""
        left = [self._positions(axis, have) for axis, have in enumerate(size)]
        if min(left) < 1:
            return None
        time, height, width = (
            None if wanted is None else min(wanted, have) for wanted, have in zip(self.window, left, strict=True)
        )
        return None if time == left[0] else time, height, width  # all of time, where that is all there is

    def _positions(self, axis: int, size: int) -> int:
        """Number of positions before the pool window; 0 or less if a layer does not fit."""
        for layer in self.layers:
            if size + 2 * layer.padding[axis] < layer.kernel[axis]:
                return 0
            size = (size + 2 * layer.padding[axis] - layer.kernel[axis]) // layer.stride[axis] + 1
        return size


def check_input(net: nn.Module, clip_length: int, crop_size: int) -> None:
    """Refuse clips that are too small for a network with an attribute `input_size`; of others nothing is known.

    Args:
        net: Network.
        clip_length: Number of frames in a clip.
        crop_size: Side of the square crops, in pixels.

    Raises:
        ValueError: A network with an `InputSize` does not take them; the message names a pool window that does.
    """
    size: InputSize | None = getattr(net, "input_size", None)
    clip = (clip_length, crop_size, crop_size)
    if size is None or size.takes(clip):
        return
    frames, *sides = size.minimum
    name, value, least = ("crop_size", crop_size, max(sides))
    if crop_size >= least:
        name, value, least = ("clip_length", clip_length, frames)
    wrong = f"{name} must be >= {least}, got {value}"
    window = size.fitting_window(clip)
    if window is None:
        raise ValueError(
            f"{wrong}: the network leaves nothing of {crop_size} x {crop_size} crops of {clip_length} frames"
        )
    raise ValueError(
        f"{wrong}: the network averages over pool_window {_written(size.window)}; smaller clips need a smaller one: "
        f"--model.arch_options '{{pool_window: {_written(window)}}}'"
    )


def _written(window: Sequence[int | None]) -> str:
    """A window as YAML has it."""
    return f"[{', '.join('null' if size is None else str(size) for size in window)}]"
