"""Checkers for tests of the index: each file says what they report of it, or how they misbehave."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from videogn.video.errors import VideoDecodeError


@dataclass(frozen=True)
class Report:
    """The fields of an IntegrityReport."""

    frames: int | None
    status: str
    reason: str | None = None
    fps: float | None = 25.0
    duration: float | None = 4.0
    width: int | None = 64
    height: int | None = 48
    rotation: int = 0
    codec: str | None = "h264"
    bytes: int | None = None
    notes: tuple[str, ...] = ()


class PlainChecker:
    """Reads "STATUS FRAMES" or one of the commands hang, hang-first, crash, crash-once, slow, note from the file."""

    def open(self, path: str, limit: float, frame_rate: float) -> float:
        if Path(path).read_text(encoding="utf-8").startswith("hang-first"):
            ctypes.PyDLL(None).pause()
        self._path = path
        return limit

    def check(self, decode: bool, limit: float) -> Report:
        path = self._path
        words = Path(path).read_text(encoding="utf-8").split()
        if words[0] == "hang":
            ctypes.PyDLL(None).pause()
        if words[0] == "slow":
            time.sleep(float(words[1]))
            words = words[2:]
        if words[0] == "crash" or (words[0] == "crash-once" and not os.path.exists(path + ".crashed")):
            Path(path + ".crashed").touch()
            os.kill(os.getpid(), signal.SIGSEGV)
        if words[0] == "bug":
            raise VideoDecodeError(path, "a checker must not raise")
        if words[0] in ("ok", "truncated"):
            return Report(
                int(words[1]), words[0], None if words[0] == "ok" else "cut", codec=["packets", "h264"][decode]
            )
        if words[0] == "crash-once":
            return Report(30, "ok")
        if words[0] == "overtime":
            return Report(int(words[1]), "slow", f"until {limit:g} s")
        if words[0] == "noted":
            return Report(int(words[1]), "ok", notes=("its chapters", "its tags"))
        return Report(None, "corrupt", "not a readable video", None, None, None, None, 0, None)


class BadTranscoder:
    """Copies nothing."""

    def time_limit(self, source: str, base: float) -> float:
        return base

    def copy(self, source: str, target: str, settings: object, frame_rate: float) -> Report:
        Path(target).write_text("half")
        if source.endswith("a.mp4"):
            ctypes.PyDLL(None).pause()
        if source.endswith("short.mkv"):
            raise VideoDecodeError(source, "no")
        os.kill(os.getpid(), signal.SIGSEGV)
        raise AssertionError
