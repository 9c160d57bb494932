"""Batches of multigrid training: drawn with their shape, and loaded whole by a worker that plans such clips."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from videogn.axes import Sample, VideoRecord
from videogn.data.dataset import VideoDataset
from videogn.data.multigrid import ClipShape, Multigrid
from videogn.data.plans import ViewPlan
from videogn.data.sampler import Draw, VideoSampler


class ShapedBatch(NamedTuple):
    """Draws of one batch, and the shape of its clips. The epoch of a draw is the pass over the videos."""

    draws: tuple[Draw, ...]
    shape: ClipShape


class ShapedBatchSampler(VideoSampler):
    """Draws the batches of multigrid training, of one shape in all processes at a step.

    One pass over the videos follows the other, each in the order that VideoSampler has in the epoch of that number, and
    batches go on across their ends: nothing is dropped. An epoch of the trainer is a number of batches.

    Args:
        count: Number of videos.
        steps: Steps of the training run.
        **order: Seed, probabilities and same_order, as for VideoSampler.
    """

    def __init__(self, count: int, steps: Multigrid, **order: Any) -> None:
        super().__init__(count, shuffle=True, **order)
        self.steps = steps
        self._ordered = functools.lru_cache(2)(self._in_order)  # a batch may be of two passes

    def __len__(self) -> int:
        return self.steps.epoch_steps * self.steps.accumulate

    def __iter__(self) -> Iterator[ShapedBatch]:  # type: ignore[override]
        first = self.epoch * len(self)
        self._begin()
        while self.drawn < len(self):
            self.drawn += 1
            yield self.batch(first + self.drawn - 1)

    def batch(self, number: int) -> ShapedBatch:
        """Return a batch of the run, by its number from the beginning."""
        shape = self.steps.shape(number // self.steps.accumulate)
        first = self.steps.clips_before(number)
        videos = self.count // self.num_replicas
        places = (divmod(place, videos) for place in range(first, first + shape.clips))
        return ShapedBatch(tuple(self._draw(*place) for place in places), shape)

    def _draw(self, passed: int, place: int) -> Draw:
        own, before = self._ordered(self.seed, passed)
        return Draw(passed, int(own[place]), int(before[place]))

    def _in_order(self, seed: int, passed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        return self.own_order(passed)


class ShapedVideos(VideoDataset):
    """Videos whose items are batches: for each draw, what a VideoDataset has, in the shape of the batch.

    Args:
        records: Videos.
        plan_of: Function from a shape (keyword `shape`, by default the base clips) to the plan of its views.
        **options: Options of VideoDataset.
    """

    def __init__(self, records: Sequence[VideoRecord], plan_of: Callable[..., ViewPlan], **options: Any) -> None:
        super().__init__(records, plan_of(), **options)
        self.plan_of = plan_of

    def __getitem__(self, key: ShapedBatch) -> list[list[Sample]]:  # type: ignore[override]
        """Load the samples of a batch, ready to be collated."""
        plan = self.plan_of(shape=key.shape)
        return [self.load(draw, plan) for draw in key.draws]
