"""Videos of one shape share a forward pass; results keep the order of the videos."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from videogn.axes import Sample

Result = TypeVar("Result")


class Shape(NamedTuple):
    """What the videos of a forward pass have in common: the number and size of their views."""

    views: int
    frames: int
    height: int
    width: int


@dataclass
class _Waiting(Generic[Result]):
    sample: Sample
    shape: Shape | None
    result: Result | None = None


def in_passes(
    samples: Iterable[Sample],
    score: Callable[[Sequence[Sample]], Sequence[Result]],
    videos_at_once: Callable[[Shape], int],
    failed: Callable[[Sample], Result],
) -> Iterator[Result]:
    """Score videos, several in a forward pass, and give the results in order.

    Videos wait until as many are there as go through the network at once with the oldest; then the oldest and those of
    its shape are scored. So no more wait than fit in one pass, and of videos of many shapes all come soon.

    Args:
        samples: Videos, decoded or failed.
        score: Decoded videos of one shape -> their results.
        videos_at_once: Shape of a video -> number of such videos in one forward pass, at least 1.
        failed: Video that did not decode -> its result.

    Yields:
        One result a video.
    """
    waiting: deque[_Waiting[Result]] = deque()
    for sample in samples:
        shape = _shape(sample)
        waiting.append(_Waiting(sample, shape, None if shape else failed(sample)))
        oldest = waiting[0].shape
        if oldest is not None and len(waiting) >= videos_at_once(oldest):
            _score_oldest(waiting, score, videos_at_once(oldest))
        yield from _done(waiting)
    while waiting:
        assert waiting[0].shape is not None
        _score_oldest(waiting, score, videos_at_once(waiting[0].shape))
        yield from _done(waiting)


def _shape(sample: Sample) -> Shape | None:
    if sample.clips is None:
        return None
    clips, frames = sample.clips.shape
    return Shape(clips * len(sample.crops), frames, sample.crops[0].height, sample.crops[0].width)


def _score_oldest(
    waiting: deque[_Waiting[Result]], score: Callable[[Sequence[Sample]], Sequence[Result]], at_most: int
) -> None:
    """Score the oldest video together with those of its shape."""
    alike = [each for each in waiting if each.result is None and each.shape == waiting[0].shape][:at_most]
    for each, result in zip(alike, score([each.sample for each in alike]), strict=True):
        each.result = result
        each.sample = Sample(each.sample.position, each.sample.path, each.sample.label)  # its frames may go


def _done(waiting: deque[_Waiting[Result]]) -> Iterator[Result]:
    while waiting and (result := waiting[0].result) is not None:
        waiting.popleft()
        yield result
