"""Time per video, split into opening, decoding and resizing: the loader's own code with a clock in what it opens."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from videogn.axes import Crop
from videogn.bench.workload import Workload
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import FrameSource, Opener


@dataclass(frozen=True)
class Variant:
    """One way of decoding.

    Attributes:
        decoder: one of `videogn.video.decoders.decode.DECODERS`.
        opener: in this process, or in one that can be killed.
    """

    decoder: str
    opener: Opener = open_video


@dataclass(frozen=True)
class VideoTimes:
    """Seconds that one video took.

    Attributes:
        open: from the path to the first frame that can be asked for, and closing.
        decode: in the decoder.
        resize: all else, which is resizing and putting frames together.
        frames: distinct frames decoded.
        bytes: of the sample that a worker hands over.
    """

    open: float
    decode: float
    resize: float
    frames: int
    bytes: int


@dataclass(frozen=True)
class StageTimes:
    """What a variant needs per video: per video the median of the repeats, then the mean over the videos.

    Attributes:
        open_s: seconds for opening and closing.
        decode_s: seconds in the decoder.
        resize_s: seconds for resizing.
        total_s: their sum.
        videos_per_s: videos per second of one process.
        frames_per_s: distinct frames per second of one process.
        measured: videos that decoded.
        failed: path -> reason.
        bytes: of a sample, on average.
    """

    open_s: float
    decode_s: float
    resize_s: float
    total_s: float
    videos_per_s: float
    frames_per_s: float
    measured: int
    failed: dict[str, str]
    bytes: int


class _TimedVideo:
    """A video that adds up the time spent in it."""

    def __init__(self, video: FrameSource) -> None:
        self._video = video
        self.info = video.info
        self.seconds = 0.0
        self.count = 0

    def frames(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        started = perf_counter()
        frames = self._video.frames(indices, window, out)
        self.seconds += perf_counter() - started
        self.count += len(indices)
        return frames


class _TimedOpener:
    """An opener that remembers how long opening, decoding and closing took."""

    def __init__(self, opener: Opener) -> None:
        self._opener = opener
        self.opening = self.decoding = 0.0
        self.frames = 0

    @contextmanager
    def __call__(self, path: str, decoder: str) -> Iterator[_TimedVideo]:
        started = perf_counter()
        with self._opener(path, decoder) as video:
            self.opening = perf_counter() - started
            timed = _TimedVideo(video)
            try:
                yield timed
            finally:
                self.decoding, self.frames = timed.seconds, timed.count
                started = perf_counter()
        self.opening += perf_counter() - started


def measure_stages(
    workload: Workload,
    variants: Mapping[str, Variant],
    *,
    repeats: int = 3,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, StageTimes]:
    """Load every video in every way, in turn, and take the time of each stage.

    A first pass, which is not counted, brings the files into the system's cache and finds those that fail.

    Args:
        workload: the videos and views.
        variants: name -> way of decoding.
        repeats: counted passes.
        progress: called with (passes done, passes).

    Returns:
        Name -> times; nothing but failures where no video decodes.
    """
    times: dict[str, dict[int, list[VideoTimes]]] = {name: {} for name in variants}
    failed: dict[str, dict[str, str]] = {name: {} for name in variants}
    for turn in range(repeats + 1):
        for number, record in enumerate(workload.records):
            for name, variant in variants.items():
                if record.path in failed[name]:
                    continue
                outcome = _time(workload, number, variant)
                if isinstance(outcome, str):
                    failed[name][record.path] = outcome
                elif turn > 0:
                    times[name].setdefault(number, []).append(outcome)
        if progress is not None:
            progress(turn + 1, repeats + 1)
    return {name: _summarise(list(times[name].values()), failed[name]) for name in variants}


def _time(workload: Workload, number: int, variant: Variant) -> VideoTimes | str:
    """The times of one video, or why it failed."""
    opener = _TimedOpener(variant.opener)
    started = perf_counter()
    try:
        sample = workload.load(number, decoder=variant.decoder, opener=opener)
    except ValueError as error:  # a crop that does not fit a tiny video, say
        return str(error)
    total = perf_counter() - started
    if sample.frames is None:
        return sample.error or "it gave no frames"
    return VideoTimes(
        open=opener.opening,
        decode=opener.decoding,
        resize=max(total - opener.opening - opener.decoding, 0.0),
        frames=opener.frames,
        bytes=sample.frames.nbytes,
    )


def _summarise(videos: list[list[VideoTimes]], failed: dict[str, str]) -> StageTimes:
    if not videos:
        return StageTimes(0, 0, 0, 0, 0, 0, 0, failed, 0)
    opening, decoding, resizing = (
        statistics.fmean(statistics.median(getattr(times, stage) for times in video) for video in videos)
        for stage in ("open", "decode", "resize")
    )
    total = opening + decoding + resizing
    return StageTimes(
        open_s=opening,
        decode_s=decoding,
        resize_s=resizing,
        total_s=total,
        videos_per_s=1 / total,
        frames_per_s=statistics.fmean(video[0].frames for video in videos) / total,
        measured=len(videos),
        failed=failed,
        bytes=round(statistics.fmean(video[0].bytes for video in videos)),
    )
