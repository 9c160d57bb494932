"""The clips that a network takes, and what lets it take smaller ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from torch import nn

from videogn.choices import EvaluationViews

Triple = tuple[int, int, int]
#: Window of the head's average pool over (T', H', W'); None stands for the whole axis.
PoolWindow = tuple[int | None, int | None, int | None]


class Layer(NamedTuple):
    """Kernel, stride and padding over (T, H, W)."""

    kernel: Triple
    stride: Triple
    padding: Triple = (0, 0, 0)


class InputStatement(Protocol):
    """What a network says of its input, in its attribute `input_size`."""

    @property
    def exact(self) -> bool:
        """Whether the network takes clips of one size only, so that it sees no whole frames."""

    def refusal(self, clip_length: int, side: int, side_name: str) -> str | None:
        """Say what is wrong with clips of squares.

        Args:
            clip_length: Number of frames in a clip.
            side: Side of the squares, in pixels.
            side_name: Name of the option that sets it.

        Returns:
            The reason in one line, or None if the network takes them.
        """


@dataclass(frozen=True)
class InputSize:
    """What the layers of a network and the pool window of its head ask of an input.

    Attributes:
        layers: Layers that make an input smaller, from the first to the last.
        window: Pool window.
        frames_multiple: Number that has to divide the number of frames.
    """

    layers: Sequence[Layer]
    window: PoolWindow
    frames_multiple: int = 1
    exact = False

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

    def refusal(self, clip_length: int, side: int, side_name: str) -> str | None:
        """Say what is wrong with clips of squares, with the pool window that takes them; see `InputStatement`."""
        clip = (clip_length, side, side)
        if clip_length % self.frames_multiple:
            return f"clip_length must be a multiple of {self.frames_multiple} for this network, got {clip_length}"
        if self.takes(clip):
            return None
        wrong = _too_small(self.minimum, clip_length, side, side_name)
        window = self.fitting_window(clip)
        if window is None:
            return f"{wrong}: the network leaves nothing of {side} x {side} crops of {clip_length} frames"
        return (
            f"{wrong}: the network averages over pool_window {_written(self.window)}; smaller clips need a smaller "
            f"one: --model.arch_options '{{pool_window: {_written(window)}}}'"
        )

    def _positions(self, axis: int, size: int) -> int:
        """Number of positions before the pool window; 0 or less if a layer does not fit."""
        for layer in self.layers:
            if size + 2 * layer.padding[axis] < layer.kernel[axis]:
                return 0
            size = (size + 2 * layer.padding[axis] - layer.kernel[axis]) // layer.stride[axis] + 1
        return size


@dataclass(frozen=True)
class SizeLimits:
    """The input that another package's network asks for as a whole.

    Attributes:
        least: Smallest input (T, H, W).
        exact: Whether it is the only one.
    """

    least: Triple
    exact: bool = False

    def refusal(self, clip_length: int, side: int, side_name: str) -> str | None:
        """Say what is wrong with clips of squares; see `InputStatement`."""
        if self.exact and (clip_length, side, side) != self.least:
            wrong = ("clip_length", clip_length, self.least[0])
            if clip_length == self.least[0]:
                wrong = (side_name, side, self.least[1])
            return "{0} must be {2}, got {1}: {3}".format(*wrong, self._statement)
        if clip_length < self.least[0] or side < max(self.least[1:]):
            return f"{_too_small(self.least, clip_length, side, side_name)}: {self._statement}"
        return None

    def declare(self, network: nn.Module) -> None:
        """Let a network say so: beforehand by its attribute `input_size`, and of every input that it is given."""
        network.input_size = self  # type: ignore[assignment]
        network.register_forward_pre_hook(self._check)

    @property
    def _statement(self) -> str:
        size = " x ".join(map(str, self.least))
        return f"the network takes clips of T x H x W = {size} only" if self.exact else f"the network needs {size}"

    def _check(self, network: nn.Module, inputs: tuple[Any, ...]) -> None:
        size = tuple(inputs[0].shape[2:])
        large_enough = all(have >= least for have, least in zip(size, self.least, strict=True))
        if not large_enough or (self.exact and size != self.least):
            amount = "" if self.exact else "at least "
            needed, given = (" x ".join(map(str, each)) for each in (self.least, size))
            raise ValueError(f"input must be {amount}T x H x W = {needed}, got {given}")


def check_input(net: nn.Module, clip_length: int, side: int, *, side_name: str = "crop_size") -> None:
    """Refuse clips that a network with an attribute `input_size` does not take; of others nothing is known.

    Args:
        net: Network.
        clip_length: Number of frames in a clip.
        side: Side of the square crops, in pixels.
        side_name: Name of the option that sets it. Default: "crop_size".

    Raises:
        ValueError: The network does not take them; where a pool window does, the message names it.
    """
    size: InputStatement | None = getattr(net, "input_size", None)
    refusal = None if size is None else size.refusal(clip_length, side, side_name)
    if refusal is not None:
        raise ValueError(refusal)


def check_views(net: nn.Module, views: EvaluationViews) -> None:
    """Refuse the views of a test that a network does not take, before a video is read.

    Args:
        net: Network.
        views: Its clips and crops.

    Raises:
        ValueError: The network does not take them.
    """
    size: InputStatement | None = getattr(net, "input_size", None)
    if size is not None and size.exact and views.crops == "full":
        raise ValueError("crops must be center or three_crop, got full: the network takes clips of one size only")
    side_name = "crop_size" if views.crops == "center" else "short_side"
    check_input(net, views.clip_length, getattr(views, side_name), side_name=side_name)


def _too_small(least: Triple, clip_length: int, side: int, side_name: str) -> str:
    frames, *sides = least
    if side < max(sides):
        return f"{side_name} must be >= {max(sides)}, got {side}"
    return f"clip_length must be >= {frames}, got {clip_length}"


def _written(window: Sequence[int | None]) -> str:
    """A window as YAML has it."""
    return f"[{', '.join('null' if size is None else str(size) for size in window)}]"
