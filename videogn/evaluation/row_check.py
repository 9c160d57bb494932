"""Whether a video that is tested again gives the row that is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from videogn.evaluation.recorded_results import Clips, RecordedVideo
from videogn.evaluation.views import video_probabilities


@dataclass(frozen=True)
class RowCheck:
    """What came of a row.

    Attributes:
        path: Path of the video, as recorded.
        differences: What differs, in words; empty if nothing does.
        gap: Largest difference of a probability, in [0, 1].
    """

    path: str
    differences: tuple[str, ...]
    gap: float = 0.0


def check_row(
    recorded: RecordedVideo,
    again: RecordedVideo,
    *,
    classes: list[str],
    tolerance: float,
    clips: Clips | None,
    recorded_clips: Clips | None = None,
) -> RowCheck:
    """Compare a row with that of a test of the same video now.

    Args:
        recorded: The row.
        again: The row of the test now.
        classes: Class names in the order of their numbers.
        tolerance: Largest difference of a probability that counts as none.
        clips: Probabilities (clips, K) of the test now; None if it failed.
        recorded_clips: Those that were saved with the row. Default: none were.

    Returns:
        What differs.
    """
    found = []
    if recorded.label != again.label:
        found.append(f"label {_quoted(recorded.label)} recorded, {_quoted(again.label)} in the data")
    if (recorded.error is None) != (again.error is None):
        then, now = (f"failed ({row.error})" if row.error else "scored" for row in (recorded, again))
        return RowCheck(recorded.path, (*found, f"{then} in the test, {now} here"))
    if recorded.frames is not None and recorded.frames != again.frames:
        found.append("frames differ")
    if (recorded.clips, recorded.starts) != (again.clips, again.starts):
        found.append(f"clips start at {recorded.starts or 'no frame'} recorded, {again.starts or 'no frame'} here")
    gap = 0.0
    if clips is not None:
        of_video = dict(zip(classes, video_probabilities(torch.tensor(clips)).tolist(), strict=True))
        found += _unranked(recorded, of_video, tolerance)
        gap = max((abs(score - of_video.get(name, 0.0)) for name, score in recorded.top), default=0.0)
        found += _scores(recorded, of_video, tolerance)
        if recorded_clips is not None and recorded_clips.shape != clips.shape:
            found.append(f"probabilities of {len(recorded_clips)} clips saved, {len(clips)} clips here")
        elif recorded_clips is not None:
            gap_of_clips = np.abs(recorded_clips - clips).max(axis=1)
            gap = max(gap, float(gap_of_clips.max()))
            off = np.flatnonzero(~(gap_of_clips <= tolerance))
            if len(off):
                found.append(f"saved probabilities of clip {off[0]} differ by {gap_of_clips[off[0]]:.2g}")
    return RowCheck(recorded.path, tuple(found), gap)


def _scores(recorded: RecordedVideo, of_video: dict[str, float], tolerance: float) -> Iterator[str]:
    for name, score in recorded.top:
        if not abs(score - of_video.get(name, np.nan)) <= tolerance:
            yield f"probability of {name!r} {score:.6g} recorded, {of_video.get(name, np.nan):.6g} here"


def _unranked(recorded: RecordedVideo, of_video: dict[str, float], tolerance: float) -> Iterator[str]:
    """Whether the recorded classes are the best ones, in order; classes as close as the tolerance may change places."""
    names = {name for name, _ in recorded.top}
    if len(names) < len(recorded.top) or any(second > first for (_, first), (_, second) in pairwise(recorded.top)):
        yield "recorded classes are out of order"
    elif recorded.top:
        better = max((score, name) for name, score in {**of_video, "": -1.0}.items() if name not in names)
        if better[0] > of_video.get(recorded.top[-1][0], 1.0) + 2 * tolerance:
            yield f"{better[1]!r} is not among the recorded classes, with a probability of {better[0]:.6g} here"


def _quoted(label: str | None) -> str:
    return "none" if label is None else repr(label)
