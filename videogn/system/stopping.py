"""What asks a command to end, by its exit status: Ctrl-C, `kill`, a closed terminal."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """The process was asked to end.

    Attributes:
        status: Exit status that a shell expects: 130 after Ctrl-C, 143 after `kill`, 129 after a closed terminal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.status = 128 + number


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped in the block for each signal that asks to end, as Python does only for Ctrl-C.

    A signal that is ignored, as after `nohup`, stays so. Does nothing outside the main thread.

    Raises:
        Stopped: On a signal; also in place of the errors that it causes elsewhere in the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    owner, seen = os.getpid(), list[int]()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:  # a fork, such as a loader process, which its owner ends in good order
            return
        seen.append(number)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # torch raises an error for each of them that ends by the signal
        raise Stopped(number)

    heeded = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, on_signal) for number in heeded}
    before[signal.SIGCHLD] = signal.getsignal(signal.SIGCHLD)
    try:
        yield
    except Exception as error:
        if seen:  # a loader process that got the signal too, for instance
            raise Stopped(seen[0]) from error
        raise
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that Python did not set, and cannot set again
                signal.signal(number, handler)
