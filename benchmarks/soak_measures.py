"""What a soak reads of its processes, and whether the readings stay flat; Linux only."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

#: Environment variable by which the processes of a soak are known, also those whose parent has ended.
TOKEN = "VIDEOGN_SOAK"
#: Fewer readings say nothing about a slope.
FEWEST = 9
#: Share of the readings, the first, in which caches and pools fill.
_WARM_UP = 0.2
_SHARED = Path("/dev/shm")


class Reading(NamedTuple):
    """Sums over all processes of the soak."""

    memory_mb: float
    open_files: int
    processes: int
    threads: int
    shared_mb: float


class Verdict(NamedTuple):
    """Judgement of one measure.

    Attributes:
        first: Median of the first third of the readings, without those of the warm-up.
        last: Median of the last third.
        slope: Theil-Sen slope per cycle, and the ends of its 95 % interval.
        flat: Whether the measure stays flat; None where there are too few readings to say.
    """

    first: float
    last: float
    slope: tuple[float, float, float]
    flat: bool | None


def own_processes() -> list[int]:
    """Return the processes that have this one's token, this one included."""
    mark = f"{TOKEN}={os.environ[TOKEN]}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
        except OSError:  # another user's, or it has ended
            continue
    return found


def decoders() -> list[int]:
    """Return those of the soak's processes that decode for another one and have started: that have answered once.

    One that is killed three times while it starts, or hangs then, is not a decoder that fails: it ends the run. On a
    busy machine a start takes a minute.
    """
    found = [pid for pid in own_processes() if b"videogn.system.killable" in _read(pid, "cmdline")]
    return [pid for pid in found if re.search(rb"^syscw: [1-9]", _read(pid, "io"), re.MULTILINE)]


def read_processes() -> Reading:
    """Read the sums over all processes of the soak."""
    memory = threads = files = shared = count = 0
    for pid in own_processes():
        lines = dict(line.partition(":")[::2] for line in _read(pid, "status").decode().splitlines())
        if "VmRSS" not in lines:  # it has ended, and nobody has asked for its status
            count += "State" in lines
            continue
        count += 1
        memory += int(lines["VmRSS"].split()[0])
        shared += int(lines["RssShmem"].split()[0])
        threads += int(lines["Threads"])
        try:
            files += len(os.listdir(f"/proc/{pid}/fd"))
        except OSError:
            continue
    named = sum(_size(path) for path in _SHARED.iterdir())
    return Reading(memory * 1024 / 1e6, files, count, threads, (shared * 1024 + named) / 1e6)


class Peaks:
    """The largest readings of a stretch of time, taken by a thread: `with Peaks() as peaks: ...; peaks.largest`."""

    def __init__(self, seconds: float = 0.5) -> None:
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.largest = read_processes()

    def __enter__(self) -> Peaks:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._seconds):
            self.largest = Reading(*map(max, self.largest, read_processes()))


def judge(readings: Sequence[float], *, slack: float) -> Verdict:
    """Say whether readings, one a cycle, stay flat.

    They do not where the last third lies above the first by more than `slack` and the slope is above 0 with 95 %
    confidence. Both are robust: a cycle that was disturbed moves neither.

    Args:
        readings: One number a cycle.
        slack: Difference between the thirds that is no growth.
    """
    kept = np.asarray(readings, float)[int(len(readings) * _WARM_UP) :]
    third = max(len(kept) // 3, 1)
    first, last = float(np.median(kept[:third])), float(np.median(kept[-third:]))
    if len(kept) < FEWEST:
        return Verdict(first, last, (float("nan"),) * 3, None)
    slope, _, low, high = stats.theilslopes(kept)
    return Verdict(first, last, (float(slope), float(low), float(high)), not (last - first > slack and low > 0))


def _read(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
