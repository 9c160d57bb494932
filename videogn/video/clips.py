"""Frame indices of clips: pure integer arithmetic, without a video or a tensor.

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

from videogn.checks import check_choice, require_positive
from videogn.choices import EvaluationProtocol

Indices = NDArray[np.int64]


def span(clip_length: int, interval: int) -> int:
    """Return the number of frames that a clip covers, counted as clip_length * interval."""
    return clip_length * interval


def is_short(num_frames: int, *, clip_length: int, interval: int) -> bool:
    """Return whether a video of `num_frames` frames is shorter than the span of a clip, so that frames repeat."""
    return num_frames < span(clip_length, interval)


def _nonlocal_starts(num_frames: int, room: int, num_clips: int) -> list[int]:
    # start_j = floor(N / V * j), in integers. The released code uses floats: equal for ten clips, but not for twenty.
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


#: Protocol -> (starts of the clips, treatment of indices past the end of the video).
PROTOCOLS: dict[str, tuple[Callable[[int, int, int], list[int]], Callable[[Indices, int], Indices]]] = {
    "nonlocal": (_nonlocal_starts, _wrap),
    "slowfast": (_slowfast_starts, _repeat_last),
    "endpoint": (_endpoint_starts, _repeat_last),
}


def clip_indices(
    num_frames: int,
    *,
    clip_length: int,
    interval: int,
    num_clips: int = EvaluationProtocol.num_clips,
    protocol: str = EvaluationProtocol.protocol,
) -> Indices:
    """Return the frame indices of the test clips of one video.

    Protocols, for N frames, clips of T frames at interval s, V clips, j = 0..V-1:

    - `nonlocal` (released code of Wang et al., Non-local Neural Networks, CVPR 2018, the baseline of the GN paper):
      start_j = floor(N / V * j), frames modulo N, so that late clips and short videos wrap round to the beginning.
    - `slowfast` (Feichtenhofer et al., SlowFast): start_j = floor((N - T s) * j / V).
    - `endpoint` (mmaction2): start_j = round((N - T s) * j / (V - 1)); the span of the last clip ends with the video.

    In the last two, all clips of a video shorter than T s start at 0 and repeat its last frame.

    Args:
        num_frames: Number of frames in the video, N.
        clip_length: Number of frames in a clip, T.
        interval: Step between consecutive frames of a clip, s, in frames of the video.
        num_clips: Number of clips, V. Default: 10.
        protocol: Rule that places the clips, a key of `PROTOCOLS`. Default: "nonlocal".

    Returns:
        Frame indices, int64 (V, T), in [0, num_frames).

    Raises:
        ValueError: If a number is not positive, or the protocol is unknown.

    Example:
        >>> from videogn.video import clip_indices
        >>> clip_indices(20, clip_length=4, interval=2, num_clips=3)
        array([[ 0,  2,  4,  6],
               [ 6,  8, 10, 12],
               [13, 15, 17, 19]])
    """
    _check(num_frames=num_frames, clip_length=clip_length, interval=interval, num_clips=num_clips)
    check_choice("protocol", protocol, PROTOCOLS)
    starts, beyond = PROTOCOLS[protocol]
    room = max(num_frames - span(clip_length, interval), 0)
    first = np.asarray(starts(num_frames, room, num_clips), dtype=np.int64)
    return beyond(_from_starts(first, clip_length, interval), num_frames)  # (V, T)


def random_clip(num_frames: int, *, clip_length: int, interval: int, rng: np.random.Generator) -> Indices:
    """Return the frame indices of one training clip.

    The start is uniform in {0 .. N - T s}; the frames of a shorter video wrap round to its beginning.

    Args:
        num_frames: Number of frames in the video, N.
        clip_length: Number of frames in a clip, T.
        interval: Step between consecutive frames of the clip, s, in frames of the video.
        rng: Random generator of the start.

    Returns:
        Frame indices, int64 (1, T).

    Raises:
        ValueError: If a number is not positive.
    """
    _check(num_frames=num_frames, clip_length=clip_length, interval=interval)
    room = max(num_frames - span(clip_length, interval), 0)
    return _wrap(_from_starts(rng.integers(0, room, size=1, endpoint=True), clip_length, interval), num_frames)


def centre_clip(num_frames: int, *, clip_length: int, interval: int) -> Indices:
    """Return the frame indices of the clip in the middle of the video; a shorter video wraps round.

    Args:
        num_frames: Number of frames in the video, N.
        clip_length: Number of frames in a clip, T.
        interval: Step between consecutive frames of the clip, s, in frames of the video.

    Returns:
        Frame indices, int64 (1, T).

    Raises:
        ValueError: If a number is not positive.
    """
    _check(num_frames=num_frames, clip_length=clip_length, interval=interval)
    start = max(num_frames - span(clip_length, interval), 0) // 2
    return _wrap(_from_starts(np.array([start]), clip_length, interval), num_frames)


def _from_starts(starts: Indices, clip_length: int, interval: int) -> Indices:
    return starts[:, None].astype(np.int64) + np.arange(clip_length, dtype=np.int64) * interval  # (V, T)


def _check(**numbers: int) -> None:
    for name, value in numbers.items():
        require_positive(name, value)
