"""Frame indices of clips: pure arithmetic, without a video or a tensor.

A clip is T = `clip_length` frames, `interval` s frames apart. How many frames it spans, where the clips of a test start
and what stands for frames past the end differ between the projects that published the protocols. For a video of N = 18
frames, 4 x 2, three clips (^ marks the frames of each clip):

    frame      0 . . . . 5 . . . . 10. . . . 15. .
    nonlocal   ^   ^   ^   ^
                           ^   ^   ^   ^
               ^                       ^   ^   ^
    slowfast   ^   ^   ^     ^
                     ^   ^     ^   ^
                           ^     ^   ^   ^
    mmaction2  ^   ^   ^   ^
                           ^   ^   ^   ^
                                     ^   ^   ^   ^
    endpoint   ^   ^   ^   ^
                         ^   ^   ^   ^
                                   ^   ^   ^   ^

`nonlocal` wraps: frame 18 of the last clip is frame 0. `slowfast` spreads the four frames over the span of eight;
`slowfast_offset` does so from other starts, here 0, 5 and 10.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from videogn.checks import check_choice, require_positive
from videogn.choices import EvaluationProtocol

Indices = NDArray[np.int64]
#: Frames per second at which `slowfast` counts the interval (SlowFast's DATA.TARGET_FPS).
SLOWFAST_FPS = 30.0


def span(clip_length: int, interval: int) -> int:
    """Return the number of frames that a clip covers, counted as clip_length * interval."""
    return clip_length * interval


def is_short(num_frames: int, *, clip_length: int, interval: int) -> bool:
    """Return whether a video of `num_frames` frames is shorter than the span of a clip, so that frames repeat."""
    return num_frames < span(clip_length, interval)


class _Setting(NamedTuple):
    """What a protocol places: V = `num_clips` clips of T x s frames in N frames, `fps` of them a second."""

    num_frames: int
    clip_length: int
    interval: int
    num_clips: int
    fps: float


# Protocols: setting -> frame numbers (V, T), before those past the end are replaced.


def _nonlocal(video: _Setting) -> Indices:
    # In integers. The released code uses floats: equal for ten clips, but not for twenty.
    starts = [video.num_frames * j // video.num_clips for j in range(video.num_clips)]
    return _from_starts(np.array(starts), video.clip_length, video.interval)


def _slowfast(video: _Setting) -> NDArray[np.float64]:
    size = _slowfast_size(video)
    starts = max(video.num_frames - size, 0.0) * np.arange(video.num_clips) / video.num_clips
    return _torch_linspace(starts, starts + size - 1, video.clip_length)


def _slowfast_offset(video: _Setting) -> NDArray[np.float64]:
    # SlowFast's TEST.USE_OFFSET_SAMPLING, for its transformers.
    size, count = _slowfast_size(video), video.num_clips
    room = max(video.num_frames - size, 0.0)
    starts = np.floor(room / (count - 1)) * np.arange(count) if count > 1 else np.floor([room / 2])
    return _torch_linspace(starts, starts + size - 1, video.clip_length)


def _slowfast_size(video: _Setting) -> float:
    return max(1.0, video.clip_length * video.interval * video.fps / SLOWFAST_FPS)


def _mmaction2(video: _Setting) -> Indices:
    # In floats and in this order, as mmaction2 does: multiples of the rounded quotient decide where halves go.
    frames, count = video.num_frames, video.num_clips
    room = max(frames - (video.clip_length - 1) * video.interval - 1, 0)
    if video.clip_length == 1:  # for networks that see single frames
        starts = np.floor(np.arange(count) * (frames / count) + frames / count / 2)
    elif count == 1:
        starts = np.array([room // 2])
    else:
        starts = np.round(np.arange(count) * (room / (count - 1)))
    return _from_starts(starts, video.clip_length, video.interval)


def _endpoint(video: _Setting) -> Indices:
    # Halves to even as Python and NumPy round; one clip starts at 0.
    room = max(video.num_frames - span(video.clip_length, video.interval), 0)
    starts = [round(Fraction(room * j, max(video.num_clips - 1, 1))) for j in range(video.num_clips)]
    return _from_starts(np.array(starts), video.clip_length, video.interval)


def _wrap(numbers: Indices, num_frames: int) -> Indices:
    return numbers % num_frames


def _repeat_last(numbers: NDArray[np.int64 | np.float64], num_frames: int) -> Indices:
    return np.minimum(numbers, num_frames - 1).astype(np.int64)


#: Protocol -> (frame numbers of its clips, treatment of those past the end of the video).
PROTOCOLS: dict[str, tuple[Callable[[_Setting], NDArray], Callable[[NDArray, int], Indices]]] = {
    "nonlocal": (_nonlocal, _wrap),
    "slowfast": (_slowfast, _repeat_last),
    "slowfast_offset": (_slowfast_offset, _repeat_last),
    "mmaction2": (_mmaction2, _wrap),
    "endpoint": (_endpoint, _repeat_last),
}


def clip_indices(
    num_frames: int,
    *,
    clip_length: int,
    interval: int,
    num_clips: int = EvaluationProtocol.num_clips,
    protocol: str = EvaluationProtocol.protocol,
    fps: float = SLOWFAST_FPS,
) -> Indices:
    """Return the frame indices of the test clips of one video.

    Protocols, for N frames, clips of T frames at interval s, V clips, j = 0..V-1:

    - `nonlocal` (released code of Wang et al., Non-local Neural Networks, CVPR 2018, the baseline of the GN paper):
      start_j = floor(N / V * j), frames modulo N, so that late clips and short videos wrap round to the beginning.
    - `slowfast` (released code of Feichtenhofer et al., SlowFast Networks, ICCV 2019): a clip spans L = T s fps / 30
      frames, start_j = max(N - L, 0) j / V is a fraction, and the T frames are spread evenly from start_j to
      start_j + L - 1 and rounded down; the last frame stands for those past the end.
    - `slowfast_offset` (the same code with TEST.USE_OFFSET_SAMPLING, as for MViT): the frames of `slowfast` from
      start_j = j floor(max(N - L, 0) / (V - 1)), or floor(max(N - L, 0) / 2) for one clip.
    - `mmaction2` (SampleFrames of mmaction2 1.x in test mode): M = max(N - (T - 1) s - 1, 0),
      start_j = round(M / (V - 1) * j), halves to even, or floor(M / 2) for one clip; frames modulo N. Clips of one
      frame lie in the middle of V equal parts.
    - `endpoint` (of this package): start_j = round((N - T s) j / (V - 1)); the span of the last clip ends with the
      video. All clips of a video shorter than T s start at 0 and repeat its last frame.

    Args:
        num_frames: Number of frames in the video, N.
        clip_length: Number of frames in a clip, T.
        interval: Step between consecutive frames of a clip, s, in frames of the video; with `slowfast` and
            `slowfast_offset`, in frames of 30 per second.
        num_clips: Number of clips, V. Default: 10.
        protocol: Rule that places the clips, a key of `PROTOCOLS`. Default: "nonlocal".
        fps: Frames per second of the video, for `slowfast` and `slowfast_offset`. Default: 30.

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
    _check(num_frames=num_frames, clip_length=clip_length, interval=interval, num_clips=num_clips, fps=fps)
    check_choice("protocol", protocol, PROTOCOLS)
    numbers, past_the_end = PROTOCOLS[protocol]
    return past_the_end(numbers(_Setting(num_frames, clip_length, interval, num_clips, fps)), num_frames)


def clips_from(
    starts: NDArray, num_frames: int, *, clip_length: int, interval: int, protocol: str, fps: float = SLOWFAST_FPS
) -> Indices:
    """Return the frame indices of clips that begin where they are told, and not where a test places them.

    Args:
        starts: First frame of each clip, integers (V,) in [0, num_frames).
        num_frames: Number of frames in the video, N.
        clip_length: Number of frames in a clip, T.
        interval: Step between consecutive frames, s, as in `clip_indices`.
        protocol: Rule that spaces the frames of a clip and replaces those past the end, a key of `PROTOCOLS`.
        fps: Frames per second of the video. Default: 30.

    Returns:
        Frame indices, int64 (V, T), in [0, num_frames).
    """
    spread, past_the_end = PROTOCOLS[protocol]
    # In a video of one frame, every protocol has its first clip begin there.
    steps = spread(_Setting(1, clip_length, interval, 1, fps))[0]
    return past_the_end(starts[:, None] + np.floor(steps).astype(np.int64), num_frames)


def clip_step(*, clip_length: int, interval: int, protocol: str, fps: float = SLOWFAST_FPS) -> float:
    """Return the distance between consecutive frames of a test clip, in frames of the video.

    Args:
        clip_length: Number of frames in a clip, T.
        interval: Step between consecutive frames, s, as in `clip_indices`.
        protocol: Rule that places the clips, a key of `PROTOCOLS`.
        fps: Frames per second of the video. Default: 30.

    Returns:
        The interval itself; with `slowfast` and `slowfast_offset` what it comes to before rounding.
    """
    first, *others = PROTOCOLS[protocol][0](_Setting(1, clip_length, interval, 1, fps))[0].tolist()
    return (others[-1] - first) / len(others) if others else float(interval)


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


def _from_starts(starts: NDArray, clip_length: int, interval: int) -> Indices:
    return starts[:, None].astype(np.int64) + np.arange(clip_length, dtype=np.int64) * interval  # (V, T)


def _torch_linspace(first: NDArray, last: NDArray, count: int) -> NDArray[np.float64]:
    """Numbers from `first` (V,) to `last` (V,), as torch.linspace gives them: float32 values (V, count).

    SlowFast rounds them down, so that the last bit decides between two frames. Torch counts from the nearer end, and a
    processor with fused multiply-add rounds once, as a sum in float64 does.
    """
    first, last = first.astype(np.float32)[:, None], last.astype(np.float32)[:, None]
    step = ((last - first) / np.float32(max(count - 1, 1))).astype(np.float64)
    places = np.arange(count)
    numbers = np.where(places < max(count // 2, 1), first + step * places, last - step * (count - 1 - places))
    return numbers.astype(np.float32).astype(np.float64)


def _check(**numbers: float) -> None:
    for name, value in numbers.items():
        require_positive(name, value)
