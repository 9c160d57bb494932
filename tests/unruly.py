"""An object for tests of processes that have to be killed: it does everything that must not be done."""

from __future__ import annotations

import ctypes
import os
import signal
import time


class Unruly:
    def __init__(self, count: int = 0) -> None:
        if count < 0:
            raise ValueError(f"count must be >= 0, got {count}")
        self.count = count

    def add(self, number: int) -> int:
        self.count += number
        return self.count

    def pid(self) -> int:
        return os.getpid()

    def fail(self) -> None:
        raise ValueError("as asked")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def hang(self) -> None:
        """Never returns and never gives Python's lock back, as a loop in native code would."""
        ctypes.PyDLL(None).pause()

    def crash(self) -> None:
        os.kill(os.getpid(), signal.SIGSEGV)

    def leave(self) -> None:
        os._exit(3)

    def read(self, descriptor: int) -> bytes:
        return os.pread(descriptor, 100, 0)
