"""Time per video for opening, decoding and resizing: the loader's own code with a clock in the decoder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import NamedTuple

import numpy as np

from videogn.axes import Crop
from videogn.bench.workload import Workload
from videogn.video.decoders.frame_source import FrameSource, Opener


class _VideoTimes(NamedTuple):
    """Seconds that one video took, its decoded frames, the bytes of its sample, and whether PyAV took over."""

    open: float
    decode: float
    resize: float
    frames: int
    bytes: int
    fallback: bool


@dataclass(frozen=True)
class StageTimes:
    """Time per video of one process: of each video the median over the repeats, then the mean over the videos.

    Attributes:
        failed: Reason by path, for the videos that were not decoded.
        open_s: Seconds for opening and closing.
        decode_s: Seconds in the decoder.
        resize_s: Seconds for everything else: resizing and putting frames together.
        total_s: Sum of the three, in seconds.
        videos_per_s: Videos per second.
        frames_per_s: Distinct frames per second.
        measured: Number of videos that were decoded.
        fallbacks: Number of these that PyAV decoded, because the decoder is not exact on them.
        bytes: Size of a sample, on average.
    """

    failed: dict[str, str]
    open_s: float = 0.0
    decode_s: float = 0.0
    resize_s: float = 0.0
    total_s: float = 0.0
    videos_per_s: float = 0.0
    frames_per_s: float = 0.0
    measured: int = 0
    fallbacks: int = 0
    bytes: int = 0


class _TimedVideo(FrameSource):
    """A video that adds up the seconds and the frames of its decoding."""

    def __init__(self, video: FrameSource) -> None:
        self._video = video
        self.info = video.info
        self.seconds = 0.0
        self.count = 0

    def pixels(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        started = perf_counter()
        pixels = self._video.pixels(indices, window, out)
        self.seconds += perf_counter() - started
        self.count += len(indices)
        self.fallback = self._video.fallback
        return pixels

    def times(self) -> np.ndarray:
        return self._video.times()


class _TimedOpener:
    """An opener that keeps the time of opening and closing, and the video that it opened last."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.seconds = 0.0
        self.video: _TimedVideo | None = None

    @contextmanager
    def __call__(self, path: str, decoder: str) -> Iterator[_TimedVideo]:
        started = perf_counter()
        with self._opener(path, decoder) as video:
            self.seconds = perf_counter() - started
            self.video = _TimedVideo(video)
            yield self.video
            started = perf_counter()
        self.seconds += perf_counter() - started


def measure_stages(
    workload: Workload,
    ways: Mapping[str, tuple[str, Opener]],
    *,
    repeats: int = 3,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, StageTimes]:
    """Load every video in every way, in turn, and time each stage.

    A first pass, which is not counted, brings the files into the system's cache and finds those that fail.

    Args:
        workload: Videos and views.
        ways: Decoder and opener by the name of the way.
        repeats: Number of counted passes. Default: 3.
        progress: Called with (passes done, passes).

    Returns:
        Times by the name of the way; nothing but failures if no video decodes.
    """
    times: dict[str, dict[int, list[_VideoTimes]]] = {name: {} for name in ways}
    failed: dict[str, dict[str, str]] = {name: {} for name in ways}
    for turn in range(repeats + 1):
        for number, record in enumerate(workload.records):
            for name, way in ways.items():
                if record.path in failed[name]:
                    continue
                outcome = _time(workload, number, *way)
                if isinstance(outcome, str):
                    failed[name][record.path] = outcome
                elif turn > 0:
                    times[name].setdefault(number, []).append(outcome)
        progress(turn + 1, repeats + 1)
    return {name: _summarise(list(times[name].values()), failed[name]) for name in ways}


def _time(workload: Workload, number: int, decoder: str, opener: Opener) -> _VideoTimes | str:
    """The times of one video, or why it failed."""
    timed = _TimedOpener(opener)
    started = perf_counter()
    try:
        sample = workload.load(number, decoder, timed)
    except ValueError as error:  # a crop that does not fit a tiny video, say
        return str(error)
    total = perf_counter() - started
    if sample.frames is None or timed.video is None:
        return sample.error or "it gave no frames"
    decoding = timed.video.seconds
    resizing = max(total - timed.seconds - decoding, 0.0)
    fell_back = sample.fallback is not None
    return _VideoTimes(timed.seconds, decoding, resizing, timed.video.count, sample.frames.nbytes, fell_back)


def _summarise(videos: list[list[_VideoTimes]], failed: dict[str, str]) -> StageTimes:
    if not videos:
        return StageTimes(failed)
    medians = [np.median(np.array(repeats), axis=0) for repeats in videos]
    opening, decoding, resizing, frames, size, fell_back = np.mean(medians, axis=0).tolist()
    total = opening + decoding + resizing
    return StageTimes(
        failed,
        open_s=opening,
        decode_s=decoding,
        resize_s=resizing,
        total_s=total,
        videos_per_s=1 / total,
        frames_per_s=frames / total,
        measured=len(videos),
        fallbacks=round(fell_back * len(videos)),
        bytes=round(size),
    )
