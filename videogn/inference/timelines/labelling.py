"""Windows to labelled segments: smoothing, runs of one class, and the shortest length of a segment."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videogn.checks import require_at_least
from videogn.inference.timelines.window import Window

#: Class number of windows in which no class is likely enough.
_NONE = -1
#: Seconds; distances that differ by less are equal.
_EQUAL = 1e-6


class LabelledSegment(NamedTuple):
    """A part of a video that shows one class.

    Attributes:
        start: Where it begins, in seconds from the first frame of the file.
        end: Where it ends, in seconds.
        label: Class name.
        score: Mean of the class's probability over the windows of the segment, after smoothing.
    """

    start: float
    end: float
    label: str
    score: float


def label_segments(
    windows: Iterable[Window],
    class_names: Sequence[str],
    *,
    smooth: float = 0.0,
    min_length: float = 0.0,
    min_score: float = 0.0,
) -> list[LabelledSegment]:
    """Join windows with the same best class to segments.

    A boundary between segments lies in the middle between the centres of the windows on its two sides; the first
    segment begins with the first window, and the last ends with the last.

    Args:
        windows: Windows in the order of time. They are taken one after the other, and few are kept.
        class_names: Class names in the order of their numbers.
        smooth: Seconds over which probabilities are averaged: those of windows whose centres are up to half of it away.
            Default: 0, each window alone.
        min_length: Seconds that a segment lasts at least. Of those that are shorter, the shortest, or the first of
            several, goes to the longer of its neighbours, or the earlier one, until none is. Default: 0.
        min_score: Probability, after smoothing, below which a window has no class. Parts without a class are no
            segments, but lengthen and shorten their neighbours like these. Default: 0.

    Returns:
        Segments in the order of time.

    Raises:
        ValueError: A number is out of range.

    Example:
        >>> import numpy as np
        >>> from videogn.inference.timelines.window import Window
        >>> windows = [Window(t, t + 2, np.array(p)) for t, p in enumerate([(0.9, 0.1), (0.7, 0.3), (0.2, 0.8)])]
        >>> for segment in label_segments(windows, ["jump", "run"]):
        ...     print(segment)
        LabelledSegment(start=0, end=2.5, label='jump', score=0.8)
        LabelledSegment(start=2.5, end=4, label='run', score=0.8)
    """
    require_at_least("smooth", smooth, 0)
    require_at_least("min_length", min_length, 0)
    if not 0 <= min_score <= 1:
        raise ValueError(f"min_score must be between 0 and 1, got {min_score:g}")
    found = _merged(_runs(_smoothed(windows, smooth), min_score), min_length)
    return [
        LabelledSegment(run.start, run.end, class_names[run.label], float(run.total[run.label] / run.count))
        for run in found
        if run.label != _NONE
    ]


@dataclass
class _Run:
    """Consecutive windows.

    Attributes:
        start: Seconds.
        end: Seconds.
        label: Class number, or `_NONE`.
        count: Number of windows.
        total: Sum of their probabilities, (K,).
    """

    start: float
    end: float
    label: int
    count: int
    total: NDArray[np.float64]

    @property
    def length(self) -> float:
        """Seconds, to the microsecond, so that equal lengths are equal."""
        return round(self.end - self.start, 6)

    def extend(self, other: _Run) -> None:
        """Take in a neighbour; the label stays."""
        self.start, self.end = min(self.start, other.start), max(self.end, other.end)
        self.count += other.count
        self.total = self.total + other.total


def _smoothed(windows: Iterable[Window], seconds: float) -> Iterator[tuple[Window, NDArray[np.float64]]]:
    """Each window with the mean of the probabilities of those around it."""
    near: deque[Window] = deque()
    place = 0  # of the window whose turn it is, among those near
    reach = seconds / 2 + _EQUAL

    def turn() -> tuple[Window, NDArray[np.float64]]:
        centre = near[place].centre
        around = [each.probabilities for each in near if abs(each.centre - centre) <= reach]
        return near[place], np.mean(around, axis=0, dtype=np.float64)

    for window in windows:
        near.append(window)
        while near[place].centre < window.centre - reach:
            yield turn()
            place += 1
            while near[0].centre < near[place].centre - reach:
                near.popleft()
                place -= 1
    while place < len(near):
        yield turn()
        place += 1


def _runs(windows: Iterable[tuple[Window, NDArray[np.float64]]], min_score: float) -> list[_Run]:
    runs: list[_Run] = []
    before: Window | None = None
    for window, probabilities in windows:
        best = int(probabilities.argmax())
        label = best if probabilities[best] >= min_score else _NONE
        start = window.start
        if before is not None:
            start = runs[-1].end = (before.centre + window.centre) / 2
        run = _Run(start, window.end, label, 1, probabilities)
        if runs and runs[-1].label == label:
            runs[-1].extend(run)
        else:
            runs.append(run)
        before = window
    return runs


def _merged(runs: list[_Run], min_length: float) -> list[_Run]:
    """Give runs that are too short to their neighbours."""
    lengths = np.array([run.length for run in runs])
    while len(runs) > 1 and lengths.min() < min_length:
        short = int(lengths.argmin())
        into = max((place for place in (short - 1, short + 1) if 0 <= place < len(runs)), key=lengths.__getitem__)
        kept = runs[into]
        first, stop = min(short, into), max(short, into) + 1
        # Runs of one class that the short one kept apart are one now.
        first -= first > 0 and runs[first - 1].label == kept.label
        stop += stop < len(runs) and runs[stop].label == kept.label
        for other in runs[first:stop]:
            if other is not kept:
                kept.extend(other)
        runs[first:stop] = [kept]
        lengths = np.concatenate([lengths[:first], [kept.length], lengths[stop:]])
    return runs
