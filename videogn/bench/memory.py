"""Resident memory of a worker that loads one video after the other, in a process of its own."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from videogn.bench.workload import Workload
from videogn.system.killable import LONGEST, KillableProcess, ProcessDiedError, TimeLimitError
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.guard import VideoGuard

#: How often the memory is read, over the whole run.
_READINGS = 40
#: A line through fewer videos than this is noise.
_LEAST_FOR_SLOPE = 100
#: Seconds for one reading's videos; what hangs must not hang the measurement.
_LIMIT = 600.0


@dataclass(frozen=True)
class MemoryGrowth:
    """Resident memory of a worker while it loads videos; that of a process which decodes for it is counted in.

    The first videos are left out (`warm_up` of them): until each video was loaded once, buffers grow to their size.

    Attributes:
        videos: how many were loaded.
        warm_up: of these, how many before the start.
        start_bytes: after the warm-up.
        end_bytes: after the last video.
        growth_bytes: the difference.
        slope_bytes: per 1000 videos, the straight line fitted to all readings after the warm-up; None for too few.
        decoder_bytes: of `end_bytes`, what the processes that decode for the worker have.
    """

    videos: int
    warm_up: int
    start_bytes: int
    end_bytes: int
    growth_bytes: int
    slope_bytes: int | None
    decoder_bytes: int


class MemoryWorker:
    """Loads videos and says how much memory its process has; lives in a process of its own.

    Args:
        workload: the videos and views.
        guarded: decode in a process that can be killed.
    """

    def __init__(self, workload: Workload, guarded: bool) -> None:
        torch.set_num_threads(1)
        self._workload = workload
        self._opener = VideoGuard(workload.limit).open if guarded else open_video

    def load(self, first: int, count: int) -> tuple[int, int]:
        """Load some videos.

        Args:
            first: number of the first.
            count: how many.

        Returns:
            Bytes of memory resident in this process, and in the processes that it started.
        """
        for number in range(first, first + count):
            self._workload.load(number, opener=self._opener)
        gc.collect()
        return resident_bytes(os.getpid()), sum(map(resident_bytes, _children(os.getpid())))


def measure_memory(
    workload: Workload, videos: int, *, guarded: bool, progress: Callable[[int, int], None] | None = None
) -> MemoryGrowth | None:
    """Load many videos in a fresh process and follow its memory.

    Args:
        workload: the videos and views; they are loaded again and again.
        videos: how many to load.
        guarded: whether the worker has its videos decoded in a process that can be killed.
        progress: called with (videos done, videos).

    Returns:
        The growth; None on systems that do not tell a process's memory (/proc).

    Raises:
        OSError: the process crashed or hung.
    """
    if not Path("/proc/self/statm").exists():
        return None
    warm_up = min(max(len(workload.records), videos // 20), videos // 2)
    process = KillableProcess("videogn.bench.memory:MemoryWorker", workload, guarded)
    try:
        readings = []
        for done, count in _portions(warm_up, videos):
            own, others = process.call("load", done, count, limit=min(_LIMIT + count * workload.limit, LONGEST))
            readings.append((done + count, own, others))
            if progress is not None:
                progress(done + count, videos)
    except (ProcessDiedError, TimeLimitError) as error:
        raise OSError(f"the process that loads videos to measure its memory failed: {error}") from error
    finally:
        process.close()
    numbers, owns, others_ = np.array(readings, np.int64).T
    totals = owns + others_
    enough = videos - warm_up >= _LEAST_FOR_SLOPE
    return MemoryGrowth(
        videos=videos,
        warm_up=warm_up,
        start_bytes=int(totals[0]),
        end_bytes=int(totals[-1]),
        growth_bytes=int(totals[-1] - totals[0]),
        slope_bytes=round(1000 * np.polyfit(numbers, totals, 1)[0]) if enough else None,
        decoder_bytes=int(others_[-1]),
    )


def _portions(warm_up: int, videos: int) -> Iterator[tuple[int, int]]:
    """(first, count): the warm-up, then equal parts."""
    if warm_up:
        yield 0, warm_up
    step = max((videos - warm_up) // _READINGS, 1)
    for first in range(warm_up, videos, step):
        yield first, min(step, videos - first)


def resident_bytes(pid: int) -> int:
    """Memory resident in a process, the pages it shares with others included; 0 if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _children(pid: int) -> Iterator[int]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The program's name, in brackets, may hold anything; the state and the parent follow it.
            parent = int(stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[1])
        except (OSError, IndexError):
            continue
        if parent == pid:
            yield int(stat.parent.name)
