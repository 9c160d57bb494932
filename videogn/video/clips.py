"""Which frames make a clip: pure integer arithmetic, no video and no tensor.

A clip is T = `clip_length` frames, `interval` frames apart. Its span is counted as T * interval frames, as all three
protocols do. For a video of N = 20 frames, 4 x 2, three clips (^ marks the frames of each clip):

    frame      0 . . . . 5 . . . . 10. . . . 15. . . .
    nonlocal   ^ ^ ^ ^                                     starts 0, 6, 13: N * j / V
                           ^ ^ ^ ^
    (wraps)    ^                         ^ ^ ^             13, 15, 17, 19 -> the next would be 21 mod 20 = 1
    endpoint   ^ ^ ^ ^                                     starts 0, 6, 12: (N - T s) j / (V - 1), the last span
                           ^ ^ ^ ^                         ends with the video
                                       ^ ^ ^ ^
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from videogn.checks import check_choice

Indices = NDArray[np.int64]


def span(clip_length: int, interval: int) -> int:
    """Frames that a clip covers, counted as clip_length * interval."""
    return clip_length * interval


def is_short(num_frames: int, *, clip_length: int, interval: int) -> bool:
    """Whether a video of `num_frames` frames is shorter than one clip's span, so that frames repeat."""
    return num_frames < span(clip_length, interval)


def _nonlocal_starts(num_frames: int, room: int, num_clips: int) -> list[int]:
    # start_j = floor(N / V * j), in integers. In floats, as released, it is the same for ten clips, but not for twenty.
    return [num_frames * j // num_clips for j in range(num_clips)]


def _slowfast_starts(num_frames: int, room: int, num_clips: int) -> list[int]:
    # start_j = floor((N - T*s) * j / V)
    return [room * j // num_clips for j in range(num_clips)]


def _endpoint_starts(num_frames: int, room: int, num_clips: int) -> list[int]:
    # start_j = round((N - T*s) * j / (V - 1)), halves to even as Python and NumPy round; one clip starts at 0.
    return [round(Fraction(room * j, max(num_clips - 1, 1))) for j in range(num_clips)]


def _wrap(indices: Indices, num_frames: int) -> Indices:
    return indices % num_frames


def _repeat_last(indices: Indices, num_frames: int) -> Indices:
    return np.minimum(indices, num_frames - 1)


#: protocol -> (starts of the clips, what happens to frames past the end of the video)
PROTOCOLS: dict[str, tuple[Callable[[int, int, int], list[int]], Callable[[Indices, int], Indices]]] = {
    "nonlocal": (_nonlocal_starts, _wrap),
    "slowfast": (_slowfast_starts, _repeat_last),
    "endpoint": (_endpoint_starts, _repeat_last),
}


def clip_indices(
    num_frames: int, *, clip_length: int, interval: int, num_clips: int = 10, protocol: str = "nonlocal"
) -> Indices:
    """Frame indices of the test clips of one video.

    Protocols, for N frames, clips of T frames at interval s, V clips, j = 0..V-1:

    - `nonlocal` (default; released code of Wang et al., Non-local Neural Networks, CVPR 2018, the baseline of the GN
      paper): start_j = floor(N / V * j), frames modulo N, so late clips and short videos wrap round to the beginning.
    - `slowfast` (Feichtenhofer et al., SlowFast): start_j = floor((N - T s) * j / V).
    - `endpoint` (mmaction2): start_j = round((N - T s) * j / (V - 1)), the last clip's span ends with
      the video.

    In the last two a video shorter than T s starts every clip at 0 and repeats its last frame.

    Args:
        num_frames: N, frames in the video, > 0.
        clip_length: T, frames in a clip, > 0.
        interval: s, frames from one frame of a clip to the next, > 0.
        num_clips: V, > 0.
        protocol: a key of PROTOCOLS.

    Returns:
        int64 (V, T), each in [0, num_frames).

    Raises:
        ValueError: a number that is not positive, or an unknown protocol.
    """
    _check(num_frames=num_frames, clip_length=clip_length, interval=interval, num_clips=num_clips)
    check_choice("protocol", protocol, PROTOCOLS)
    starts, beyond = PROTOCOLS[protocol]
    room = max(num_frames - span(clip_length, interval), 0)
    first = np.asarray(starts(num_frames, room, num_clips), dtype=np.int64)
    return beyond(_from_starts(first, clip_length, interval), num_frames)  # (V, T)


def random_clip(num_frames: int, *, clip_length: int, interval: int, rng: np.random.Generator) -> Indices:
    """Frame indices of one training clip: start uniform in {0 .. N - T s}, frames modulo N when the video is shorter.

    Args:
        num_frames: N, frames in the video, > 0.
        clip_length: T, frames in a clip, > 0.
        interval: s, frames from one frame of the clip to the next, > 0.
        rng: source of the start.

    Returns:
        int64 (1, T).

    Raises:
        ValueError: a number that is not positive.
    """
    _check(num_frames=num_frames, clip_length=clip_length, interval=interval)
    room = max(num_frames - span(clip_length, interval), 0)
    return _wrap(_from_starts(rng.integers(0, room, size=1, endpoint=True), clip_length, interval), num_frames)


def centre_clip(num_frames: int, *, clip_length: int, interval: int) -> Indices:
    """Frame indices of the one clip in the middle of the video; a shorter video wraps round.

    Args:
        num_frames: N, frames in the video, > 0.
        clip_length: T, frames in a clip, > 0.
        interval: s, frames from one frame of the clip to the next, > 0.

    Returns:
        int64 (1, T).

    Raises:
        ValueError: a number that is not positive.
    """
    _check(num_frames=num_frames, clip_length=clip_length, interval=interval)
    start = max(num_frames - span(clip_length, interval), 0) // 2
    return _wrap(_from_starts(np.array([start]), clip_length, interval), num_frames)


def _from_starts(starts: Indices, clip_length: int, interval: int) -> Indices:
    return starts[:, None].astype(np.int64) + np.arange(clip_length, dtype=np.int64) * interval  # (V, T)


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        if value <= 0:
            raise ValueError(f"{name} must be > 0, got {value}")
