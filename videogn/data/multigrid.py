"""Multigrid training: clip length, crop, batch and learning rate of every step, as arithmetic.

A training step costs about clips x T x S^2 (T frames of S x S pixels). Wu et al. 2020 ("A Multigrid Method for
Efficiently Training Video Models", arXiv 1912.00998) hold that product and change its factors, in two cycles; for base
clips of 32 x 224 x 224 and B of them a batch:

    long cycle    T x S          4 parts of equally many steps, from 8B clips of 8 x 158 over 4B of 16 x 158 and
                                 2B of 16 x 224 to B of 32 x 224. It begins anew where the learning rate is lowered;
                                 the stage after the last lowering is the fine-tuning, at B clips of 32 x 224.
    short cycle   S              step by step 112, 158 and the S of the long cycle, with x4, x2, x1 clips at 224 and
                                 x2, x1, x1 at 158

The learning rate follows the batch of the long cycle and ignores the short one. Constants and rounding are those of the
authors' code (SlowFast, utils/multigrid.py and datasets/multigrid_helper.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, get_args

from videogn.checks import check_choice, require_at_least
from videogn.choices import MultigridName

#: Factors of (T, S) in the parts of a long cycle, and of S in the first steps of a short one.
_LONG = ((0.25, 0.5**0.5), (0.5, 0.5**0.5), (0.5, 1.0), (1.0, 1.0))
_SHORT = (0.5, 0.5**0.5)


class ClipShape(NamedTuple):
    """The clips of a batch.

    Attributes:
        clip_length: Number of frames in a clip, T.
        intervals: Smallest and largest interval. Each clip draws its own between them: the largest keeps the span of
            the base clips, the smallest their frame rate.
        crop_size: Side of the square crop, S, in pixels.
        clips: Number of clips in a batch of a device.
    """

    clip_length: int
    intervals: tuple[int, int]
    crop_size: int
    clips: int

    @property
    def frames(self) -> int:
        """Number of frames in a batch of a device."""
        return self.clips * self.clip_length


class Phase(NamedTuple):
    """A part of a training run with one shape of the long cycle.

    Attributes:
        start: Share of the run's steps at which it begins.
        multiple: Clips of the long cycle's shape, in multiples of the base batch.
        shapes: Shapes of its steps, which take turns; the last is the long cycle's.
    """

    start: float
    multiple: int
    shapes: tuple[ClipShape, ...]


@dataclass(frozen=True, kw_only=True)
class Cycles:
    """The shapes of a training run of any length.

    Args:
        cycles: `long`, `short` or `both`.
        clip_length: Number of frames in a base clip.
        interval: Step between frames of a base clip.
        crop_size: Side of the base crop, in pixels.
        batch_size: Number of base clips in a batch of a device.
        milestones: Shares of the run, ascending, at which a long cycle ends and the learning rate is lowered.

    Raises:
        ValueError: The base clip is too short, or a long cycle has no milestone.

    Example:
        >>> from videogn.data.multigrid import Cycles
        >>> kinetics = Cycles(cycles="long", clip_length=32, interval=2, crop_size=224, batch_size=8, milestones=(0.5,))
        >>> [(phase.start, *phase.shapes[0]) for phase in kinetics.phases][:2]
        [(0.0, 8, (2, 8), 158, 64), (0.125, 16, (2, 4), 158, 32)]
    """

    cycles: str
    clip_length: int
    interval: int
    crop_size: int
    batch_size: int
    milestones: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_choice("multigrid", self.cycles, get_args(MultigridName))
        if self.cycles == "short":
            return
        require_at_least(f"clip_length with multigrid {self.cycles}", self.clip_length, 4)
        if not self.milestones:
            raise ValueError(
                f"multigrid {self.cycles} needs --model.milestones, got none: a long cycle ends at each of them"
            )

    @cached_property
    def phases(self) -> tuple[Phase, ...]:
        """The phases in order; of `short` there is one."""
        if self.cycles == "short":
            return (self._phase(0.0, *_LONG[-1]),)
        stages = itertools.pairwise((0.0, *self.milestones))
        cycled = [
            self._phase(start + (end - start) * part / len(_LONG), *factors)
            for start, end in stages
            for part, factors in enumerate(_LONG)
        ]
        return (*cycled, self._phase(self.milestones[-1], *_LONG[-1]))

    @cached_property
    def shapes(self) -> tuple[ClipShape, ...]:
        """All shapes, each once, in the order of their first step."""
        return tuple(dict.fromkeys(shape for phase in self.phases for shape in phase.shapes))

    @property
    def lowerings(self) -> tuple[float, ...]:
        """Shares of the run at which the learning rate is lowered: the last is put off to the middle of what is left.

        The fine-tuning begins with the rate of the stage before.
        """
        if self.cycles == "short":
            return self.milestones
        return (*self.milestones[:-1], (self.milestones[-1] + 1) / 2)

    @property
    def clips_per_batch(self) -> float:
        """Number of clips in a batch of a device, mean over a run."""
        return self._mean(lambda shape: shape.clips)

    @property
    def frames_per_batch(self) -> float:
        """Number of frames in a batch of a device, mean over a run."""
        return self._mean(lambda shape: shape.frames)

    def _mean(self, amount: Callable[[ClipShape], int]) -> float:
        starts = [*(phase.start for phase in self.phases), 1.0]
        return sum(
            (end - phase.start) * sum(map(amount, phase.shapes)) / len(phase.shapes)
            for phase, end in zip(self.phases, starts[1:], strict=True)
        )

    def _phase(self, start: float, time_factor: float, side_factor: float) -> Phase:
        length, side = round(self.clip_length * time_factor), round(self.crop_size * side_factor)
        multiple = round(self.clip_length * self.crop_size**2 / (length * side**2))
        factors = () if self.cycles == "long" else tuple(factor * self.crop_size for factor in _SHORT)
        turns = [(round(small), round((side / small) ** 2)) for small in factors]
        intervals = (self.interval, self.interval * (self.clip_length // length))
        shapes = (
            ClipShape(length, intervals, each, max(times, 1) * multiple * self.batch_size)
            for each, times in [*turns, (side, 1)]
        )
        return Phase(start, multiple, tuple(shapes))


@dataclass(frozen=True, kw_only=True)
class Multigrid:
    """The steps of one training run.

    Args:
        cycles: Its shapes.
        steps: Number of optimiser steps of the run.
        epoch_steps: Number of optimiser steps that the trainer counts as an epoch.
        accumulate: Number of batches in a step, all of one shape. Default: 1.

    Raises:
        ValueError: A number is not positive.
    """

    cycles: Cycles
    steps: int
    epoch_steps: int
    accumulate: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "epoch_steps", "accumulate"):
            require_at_least(name, getattr(self, name), 1)

    @classmethod
    def of_epochs(cls, cycles: Cycles, videos: int, epochs: int, *, accumulate: int = 1) -> Multigrid:
        """Plan a run of as many clips as `epochs` passes over the videos of a process have.

        Args:
            cycles: Its shapes.
            videos: Number of training videos of a process.
            epochs: Number of passes. Each epoch of the trainer has equally many steps: more than one pass where batches
                are large, less in the fine-tuning, one on average.
            accumulate: Number of batches in a step. Default: 1.
        """
        each = _steps(videos, cycles, accumulate)
        return cls(cycles=cycles, steps=each * epochs, epoch_steps=each, accumulate=accumulate)

    @classmethod
    def of_steps(cls, cycles: Cycles, videos: int, steps: int, *, accumulate: int = 1) -> Multigrid:
        """Plan a run of a number of optimiser steps; arguments as for `of_epochs`."""
        return cls(cycles=cycles, steps=steps, epoch_steps=_steps(videos, cycles, accumulate), accumulate=accumulate)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First step of each phase."""
        # The first step whose elapsed share is not below the phase's, as schedules count; 0.7 * 10 is a little over 7.
        return tuple(math.ceil(round(phase.start * self.steps, 6)) for phase in self.cycles.phases)

    def phase_number(self, step: int) -> int:
        """Return which phase a step is in; a step after the end of the run is in the last."""
        return max(number for number, start in enumerate(self.starts) if start <= step)

    def phase(self, step: int) -> Phase:
        """Return the phase of a step."""
        return self.cycles.phases[self.phase_number(step)]

    def shape(self, step: int) -> ClipShape:
        """Return the shape of a step's batches. A phase begins with the first shape of the short cycle."""
        number = self.phase_number(step)
        shapes = self.cycles.phases[number].shapes
        return shapes[(step - self.starts[number]) % len(shapes)]

    def clips_before(self, batch: int) -> int:
        """Count the clips of a device in the batches before one: where in the order of videos it begins."""
        step, rest = divmod(batch, self.accumulate)
        whole = self._before(step, lambda shape: shape.clips)
        return whole * self.accumulate + rest * self.shape(step).clips

    def frames_before(self, step: int) -> int:
        """Count the frames of a device in the steps before one."""
        return self._before(step, lambda shape: shape.frames) * self.accumulate

    def __str__(self) -> str:
        base = self.cycles
        milestones = ", ".join(f"{milestone:g}" for milestone in base.milestones)
        return f"multigrid {base.cycles} over {self.steps} steps, milestones {milestones or 'none'}"

    def _before(self, step: int, amount: Callable[[ClipShape], int]) -> int:
        """Add up an amount over the batches, one a step, of the steps before one."""
        total = 0
        for number, (phase, start) in enumerate(zip(self.cycles.phases, self.starts, strict=True)):
            end = step if number == len(self.starts) - 1 else min(step, self.starts[number + 1])
            total += _in_turns(max(end - start, 0), [amount(shape) for shape in phase.shapes])
        return total


def _in_turns(count: int, amounts: Sequence[int]) -> int:
    """Add up `count` amounts that take turns."""
    rounds, rest = divmod(count, len(amounts))
    return rounds * sum(amounts) + sum(amounts[:rest])


def _steps(videos: int, cycles: Cycles, accumulate: int) -> int:
    """Number of steps, at least 1, whose batches have about as many clips as there are videos."""
    return max(round(videos / (cycles.clips_per_batch * accumulate)), 1)
