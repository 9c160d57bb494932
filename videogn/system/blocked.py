"""Requests to end that come while the main thread waits in native code, where Python runs no handler of signals."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from videogn.system.stopping import STOP_SIGNALS


@contextmanager
def ending_although_blocked(end: Callable[[int], int], patience: float = 2.0) -> Iterator[None]:
    """End the process on a signal that asks for it, also where the block waits in native code, such as for others.

    The handler of the signal comes first, which ends the block if it is run. Does nothing outside the main thread.

    Args:
        end: Called with the number of the signal, in a thread, right before the end; its result is the exit status.
        patience: Seconds that the handler has. Default: 2.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    left = threading.Event()

    def watch() -> None:
        with os.fdopen(reader, "rb", buffering=0) as numbers:
            while number := numbers.read(1):
                if number[0] in STOP_SIGNALS and not left.wait(patience):
                    os._exit(end(number[0]))

    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(before)
        os.close(writer)  # which ends the thread
