"""Clips that slide over a long video: pure arithmetic, without a video or a tensor.

Frames of 10 per second, clips of 4 x 2, a stride of 0.3 s; a clip that would not fit is left out:

    place    0 1 2 3 4 5 6 7 8 9 . 11
    clip 0   ^   ^   ^   ^
    clip 1         ^   ^   ^   ^
    clip 2               (         )
    needed   ^   ^ ^ ^ ^ ^ ^   ^
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np

from videogn.choices import EvaluationViews
from videogn.video.clips import SLOWFAST_FPS, Indices, clips_from
from videogn.video.timeline import stride_places


@dataclass(frozen=True, eq=False)
class SlidingBatch:
    """Consecutive clips, and the frames to decode for them.

    Attributes:
        indices: Frame indices of the clips, int64 (clips, T).
        new: Frames that no clip before had use for and this one or a later one has, up to the last frame of these
            clips; int64, increasing. Decoding them batch by batch goes forward only.
    """

    indices: Indices
    new: Indices


def sliding_batches(
    frames: Indices, times: np.ndarray, views: EvaluationViews, *, stride: float, size: int, fps: float
) -> Iterator[SlidingBatch]:
    """Lay clips over a timeline, one every `stride` seconds from its first frame on.

    A clip begins at the frame nearest to its time, and clips that would begin at the same frame are one. All end within
    the timeline, except the only clip of one that is shorter, which goes on as the protocol says.

    Args:
        frames: Frame at each place of the timeline, int64 (L,), not decreasing; L > 0.
        times: When they are displayed, in seconds, (L,).
        views: Length, interval and protocol of the clips, and their rate.
        stride: Seconds, > 0.
        size: Number of clips in a batch, at most.
        fps: Frames per second of the video.

    Yields:
        Batches in the order of time; at least one.
    """
    clips = partial(
        clips_from,
        clip_length=views.clip_length,
        interval=views.interval,
        protocol=views.protocol,
        # As in a test: at a rate that was asked for, clips of all videos last as long.
        fps=fps if views.fps is None else SLOWFAST_FPS,
    )
    reach = int(clips(np.zeros(1, np.int64), np.iinfo(np.int64).max).max())
    starts = stride_places(times[: max(len(frames) - reach, 1)], stride)
    first_frames = frames[starts]
    last = -1
    for first in range(0, len(starts), size):
        indices = frames[clips(starts[first : first + size], len(frames))]
        until = int(indices.max())
        begun = np.searchsorted(first_frames, until, side="right")
        needed = np.unique(frames[clips(starts[first:begun], len(frames))])
        yield SlidingBatch(indices, needed[(needed > last) & (needed <= until)])
        last = until
