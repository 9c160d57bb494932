"""A decoder for tests that hangs at one file, as decord does at some, with Python's lock held."""

from __future__ import annotations

import ctypes
import os
from typing import Any

import pytest

from videogn.system.killable import KillableProcess
from videogn.video.decoders import guard
from videogn.video.decoders.guard import Decoding


class HangingDecoding(Decoding):
    """Hangs at a file whose name begins with "hangs"."""

    def open(self, path: str, decoder: str) -> Any:
        """As `Decoding.open`, or never."""
        if os.path.basename(path).startswith("hangs"):
            ctypes.PyDLL(None).pause()
        return super().open(path, decoder)


def hang_at_some_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every VideoGuard of this process, and of those forked from it, decode with it."""

    def process(factory: str, *arguments: Any, **options: Any) -> KillableProcess:
        return KillableProcess(f"{__name__}:{HangingDecoding.__name__}", *arguments, **options)

    monkeypatch.setattr(guard, "KillableProcess", process)
