"""Videos of one shape share a forward pass; predictions keep the order of the videos."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from videogn.axes import Sample
from videogn.inference.prediction import Prediction


class Shape(NamedTuple):
    """What the videos of a forward pass have in common: the number and size of their views."""

    views: int
    frames: int
    height: int
    width: int


@dataclass
class _Waiting:
    sample: Sample
    shape: Shape | None
    prediction: Prediction | None = None


def in_passes(
    samples: Iterable[Sample],
    score: Callable[[Sequence[Sample]], Sequence[Prediction]],
    videos_at_once: Callable[[Shape], int],
) -> Iterator[Prediction]:
    """Score videos, several in a forward pass, and give their predictions in order.

    Videos wait until as many are there as go through the network at once with the oldest; then the oldest and those of
    its shape are scored. So no more wait than fit in one pass, and of videos of many shapes all come soon.

    Args:
        samples: Videos, decoded or failed.
        score: Decoded videos of one shape -> their predictions.
        videos_at_once: Shape of a video -> number of such videos in one forward pass, at least 1.

    Yields:
        One prediction a video.
    """
    waiting: deque[_Waiting] = deque()
    for sample in samples:
        waiting.append(_arrived(sample))
        oldest = waiting[0].shape
        if oldest is not None and len(waiting) >= videos_at_once(oldest):
            _score_oldest(waiting, score, videos_at_once(oldest))
        yield from _done(waiting)
    while waiting:
        assert waiting[0].shape is not None
        _score_oldest(waiting, score, videos_at_once(waiting[0].shape))
        yield from _done(waiting)


def _arrived(sample: Sample) -> _Waiting:
    if sample.clips is None:
        return _Waiting(sample, None, Prediction(sample.path, error=sample.error))
    clips, frames = sample.clips.shape
    return _Waiting(sample, Shape(clips * len(sample.crops), frames, sample.crops[0].height, sample.crops[0].width))


def _score_oldest(
    waiting: deque[_Waiting], score: Callable[[Sequence[Sample]], Sequence[Prediction]], at_most: int
) -> None:
    """Score the oldest video together with those of its shape."""
    alike = [each for each in waiting if each.prediction is None and each.shape == waiting[0].shape][:at_most]
    for each, prediction in zip(alike, score([each.sample for each in alike]), strict=True):
        each.prediction = prediction
        each.sample = Sample(each.sample.position, each.sample.path, each.sample.label)  # its frames may go


def _done(waiting: deque[_Waiting]) -> Iterator[Prediction]:
    while waiting and (prediction := waiting[0].prediction) is not None:
        waiting.popleft()
        yield prediction
