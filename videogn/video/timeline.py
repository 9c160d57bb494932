"""The frames that clips are laid over, one after the other: all of a video, those of a segment, or a rate of its own.

Clips are index arithmetic (`videogn.video.clips`) over the places of a timeline; the frame at each place is an index of
the video. A file of 10 frames per second has these timelines, where t is in seconds:

    frame              0       1       2       3       4      t 0, 0.1, ... 0.4
    all of it          0       1       2       3       4
    0.1 to 0.3 s               1       2
    20 per second      0   0   1   1   2   2   3   3   4   4  the nearest frame to 0, 0.05, ... 0.45, or the earlier one
    5 per second       0               2               4      the nearest frame to 0, 0.2, 0.4
"""

from __future__ import annotations

import math

import numpy as np

from videogn.axes import Segment, VideoRecord
from videogn.video.clips import Indices
from videogn.video.decoders.frame_source import FrameSource
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import CheckedFile

#: Share of a step of a rate: less than this at the end is no further step. Containers round times to milliseconds.
_NO_STEP = 0.1
#: Seconds; frames whose distances from a time differ by less are equally near.
_EQUAL = 1e-6
#: Largest number of places; time stamps that ask for more are damaged. It is 92 hours at 30 frames per second.
_MOST = 10_000_000


def make_timeline(video: FrameSource, record: VideoRecord, fps: float | None = None) -> Indices:
    """Choose the frames that the clips of a video are laid over.

    The time stamps of the frames are only asked for where they are needed.

    Args:
        video: The open video.
        record: Its record: the segment, if it is one, and the number of frames that can be decoded.
        fps: Frames per second. The timeline then holds the nearest frame to every multiple of 1 / fps from the first
            frame, or from the start of the segment, on. Default: every frame once.

    Returns:
        Frame indices in the video, int64 (L,), not decreasing; at least one if the video has one.

    Raises:
        VideoDecodeError: If the segment holds no frame of the video, or its time stamps cannot be true.
    """
    count = video.info.frames if record.frames is None else min(record.frames, video.info.frames)
    if isinstance(record.path, CheckedFile) and not record.path.is_unchanged():  # what was counted is another file
        count = video.info.frames
    if record.segment is None and fps is None:
        return np.arange(count, dtype=np.int64)
    by_time = fps is not None or (record.segment is not None and record.segment.unit == "seconds")
    times = video.times() if by_time else np.empty(0)
    segment = record.segment or Segment(0, count, "frames")
    places = np.arange(count) if segment.unit == "frames" else times[:count]
    first, stop = np.searchsorted(places, [segment.start, segment.end]).tolist()
    if first >= stop:
        there = (
            f"has {count} frames" if segment.unit == "frames" else f"lasts {_end(times, count, video.info.fps):.2f} s"
        )
        raise VideoDecodeError(record.name, f"the segment holds no frame: the video {there}")
    frames = np.arange(first, stop, dtype=np.int64)
    if fps is None:
        return frames
    start, end = float(times[first]), _end(times, stop, video.info.fps)
    if segment.unit == "seconds":
        start, end = segment.start, min(segment.end, end)
    if (end - start) * fps > _MOST:
        raise VideoDecodeError(record.name, f"its time stamps must be wrong: they make it last {end - start:.0f} s")
    return frames[_nearest(times[first:stop], start, end, fps)]


def clip_times(video: FrameSource, indices: Indices) -> tuple[tuple[float, float], ...]:
    """Compute when clips are displayed, by the time stamps of the frames.

    Args:
        video: The open video.
        indices: Frame indices (clips, T).

    Returns:
        For each clip the second at which its first frame appears and that at which its last one disappears, from the
        first frame of the video on. Frames after which the clip goes back to earlier ones end it.
    """
    return clip_spans(indices, video.times(), video.info.fps)


def clip_spans(indices: Indices, times: np.ndarray, fps: float) -> tuple[tuple[float, float], ...]:
    """Compute when clips are displayed, as `clip_times` does, of a video whose times are known.

    Args:
        indices: Frame indices (clips, T).
        times: When each frame of the video is displayed, in seconds.
        fps: Frames per second of the video.
    """
    spans = []
    for clip in indices:
        back = np.flatnonzero(np.diff(clip) < 0)
        last = clip[back[0]] if back.size else clip[-1]
        spans.append((float(times[clip[0]]), _end(times, int(last) + 1, fps)))
    return tuple(spans)


def stride_places(times: np.ndarray, stride: float) -> Indices:
    """Choose the places that are nearest to the multiples of a time, counted from the first place.

    Args:
        times: When the frame at each place is displayed, in seconds, (L,), not decreasing; L > 0.
        stride: Seconds, > 0.

    Returns:
        Places, int64, increasing: the nearest to 0, stride, 2 stride, ... or the earlier of two; each place once.

    Example:
        >>> import numpy as np
        >>> stride_places(np.array([0.0, 0.1, 0.2, 0.3, 0.4, 3.0, 3.1]), 0.25)
        array([0, 2, 4, 5])
    """
    # Multiples up to the middle between a place and the next belong to it; they are counted, not listed.
    until = np.append((times[1:] + times[:-1]) / 2, times[-1]) - times[0]
    passed = np.floor((until + _EQUAL) / stride)
    return np.flatnonzero(np.diff(passed, prepend=-1) > 0)


def _nearest(times: np.ndarray, start: float, end: float, fps: float) -> Indices:
    """Places in `times`, increasing, of those nearest to start, start + 1 / fps, ... before `end`; int64."""
    steps = max(math.ceil((end - start) * fps - _NO_STEP), 1)
    wanted = start + np.arange(steps) / fps
    return np.searchsorted((times[1:] + times[:-1]) / 2, wanted - _EQUAL).astype(np.int64)


def _end(times: np.ndarray, stop: int, fps: float) -> float:
    """Second at which frame `stop` - 1 ends. The last of the video is displayed as long as the others on average."""
    if stop < len(times):
        return float(times[stop])
    return float(times[-1]) + (float(times[-1]) / (len(times) - 1) if len(times) > 1 else 1 / fps)
