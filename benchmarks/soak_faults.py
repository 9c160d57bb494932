"""What goes wrong during a soak: files that are damaged or vanish, decoders that are killed, hang or are slow."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

from soak_measures import decoders

#: Seconds between two faults of processes, at least and at most.
_BETWEEN = (1.0, 3.0)
#: Seconds for which a slow decoder does nothing.
_SLOW = 0.8


def damaged(content: bytes, draw: random.Random) -> bytes:
    """Return a file's bytes, damaged in one of six ways."""
    at, end = sorted(draw.sample(range(len(content)), 2))
    flipped = bytearray(content)
    for place in draw.sample(range(len(content)), min(40, len(content))):
        flipped[place] ^= 1 << draw.randrange(8)
    ways = (
        b"",
        content[:at],
        bytes(flipped),
        content[:at] + bytes(end - at) + content[end:],
        content[:at] + draw.randbytes(300) + content[at:],
        content[:end] + content[at:end] + content[end:],
    )
    return draw.choice(ways)


class Faults:
    """Faults of one cycle: `with Faults(videos, seed) as faults: ...`; afterwards the files are whole again.

    Args:
        videos: Files of the data set.
        aside: Folder for the whole ones.
        seed: Seed of what happens.

    Attributes:
        happened: Number of faults of each kind.
        hit: Files that were damaged or made to vanish.
    """

    def __init__(self, videos: list[Path], aside: Path, seed: int) -> None:
        self._draw = random.Random(seed)
        self._aside = aside
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._disturb, daemon=True)
        self._stopped: list[int] = []
        self.hit = self._draw.sample(videos, max(len(videos) // 8, 2))
        self.happened: Counter[str] = Counter()

    def __enter__(self) -> Faults:
        self._aside.mkdir(exist_ok=True)
        for number, video in enumerate(self.hit):
            shutil.copy2(video, self._aside / str(number))
        for video in self.hit[1:]:
            video.write_bytes(damaged(video.read_bytes(), self._draw))
            self.happened["damaged files"] += 1
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        for pid in self._stopped:  # one whose owner has ended sees it only when it runs
            _send(pid, signal.SIGCONT)
        for number, video in enumerate(self.hit):
            shutil.copy2(self._aside / str(number), video)

    def _disturb(self) -> None:
        while not self._ended.wait(self._draw.uniform(*_BETWEEN)):
            if self.happened["vanished files"] == 0:
                self.hit[0].unlink()
                self.happened["vanished files"] += 1
                continue
            if running := decoders():
                self._fault(self._draw.choice(running))

    def _fault(self, pid: int) -> None:
        kind = self._draw.choice(("killed decoders", "hanging decoders", "slow decoders"))
        self.happened[kind] += 1
        if kind == "killed decoders":
            _send(pid, signal.SIGKILL)
            return
        _send(pid, signal.SIGSTOP)
        if kind == "hanging decoders":  # until the time limit kills it
            self._stopped.append(pid)
            return
        self._ended.wait(_SLOW)
        _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
