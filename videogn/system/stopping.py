"""What asks a command to end, by its exit status: Ctrl-C, `kill`, a closed terminal, the warning of a batch system.

A command heeds it in one of three ways. `stoppable` raises at once, in whatever is being done: right where files are
whole or absent anyway. `stopping_later` waits for a good moment, as a training run does that has a checkpoint to write.
`asking` passes it on to other threads and processes, which end on their own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: Those that the system has. Batch systems send SIGUSR1 or SIGUSR2 a while before they end a job.
STOP_SIGNALS = tuple(
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
    if name in signal.Signals.__members__
)
#: Exit statuses of commands that were asked to end.
STATUSES = frozenset(128 + number for number in STOP_SIGNALS)
#: Seconds within which a signal counts as the one before it: `timeout`, launchers and batch systems send it to a
#: process and to all of its group or job.
_ONE_REQUEST = 1.0


class Stopped(KeyboardInterrupt):
    """The process was asked to end.

    Attributes:
        number: Number of the signal.
        status: Exit status that a shell expects: 130 after Ctrl-C, 143 after `kill`, 129 after a closed terminal, 138
            and 140 after SIGUSR1 and SIGUSR2.
        how: How to go on, in a few words; empty where nobody has said it yet.
    """

    def __init__(self, number: int, how: str = "") -> None:
        super().__init__(number)
        self.number = int(number)
        self.status = 128 + int(number)
        self.how = how


class Requests:
    """Signals so far that ask a process to end, from the first on; repetitions within a second are one request."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._last = -_ONE_REQUEST
        self.numbers: list[int] = []

    def note(self, number: int) -> bool:
        """Note a signal; return whether it is another request, and one to this process."""
        if os.getpid() != self._owner:  # a fork, such as a loader process, which its owner ends in good order
            return False
        now = time.monotonic()
        if now - self._last < _ONE_REQUEST:
            return False
        self._last = now
        self.numbers.append(number)
        # PyTorch raises an error, anywhere in this process, for each loader process that ends by the signal.
        _set(_SIGCHLD, lambda *_: None)
        return True


@contextmanager
def stoppable() -> Iterator[None]:
    """Raise Stopped in the block for each signal that asks to end, as Python does only for Ctrl-C.

    A signal that is ignored, as after `nohup`, stays so. Does nothing outside the main thread.

    Raises:
        Stopped: On a signal; also in place of what it causes elsewhere in the block, be it an error, or an end of the
            block as if nothing had happened.
    """
    requests = Requests()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if requests.note(number):
            raise Stopped(number)

    with _handling(on_signal):
        try:
            yield
        except Stopped:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            if not requests.numbers or getattr(error, "code", None) == 128 + requests.numbers[0]:
                raise
            raise Stopped(requests.numbers[0]) from error
        if requests.numbers:  # whoever swallowed it has not ended what was to be done
            raise Stopped(requests.numbers[0])


@contextmanager
def going_on(how: str) -> Iterator[None]:
    """Say how a command goes on that is stopped in the block, unless something within has said it."""
    try:
        yield
    except Stopped as stop:
        stop.how = stop.how or how
        raise


class LaterStop:
    """A request to end that waits for a good moment, though not for long. See `stopping_later`.

    Attributes:
        number: Number of the first signal; None before it.
        waits: Whether a request waits: if not, it raises Stopped at once. Default: False.
        held: Whether what is being done must not be left half done. Default: False.
    """

    #: Seconds after which a request no longer waits for a good moment, and after which not for what is held either.
    patience = 5.0
    longest = 20.0

    def __init__(self) -> None:
        self.number: int | None = None
        self.waits = self.held = False
        self._requests = Requests()
        self._since = 0.0
        self._heard: list[Callable[[int], None]] = []

    def tell(self, heard: Callable[[int], None]) -> None:
        """Call a function with the number of every request, when it comes."""
        self._heard.append(heard)

    def calm(self) -> None:
        """Let no more than a further request interrupt what follows."""
        _alarm(0)

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        """Note a request; raise Stopped unless it waits."""
        if not self._requests.note(number):
            return
        first = self.number is None
        if first:
            self.number, self._since = number, time.monotonic()
        for heard in self._heard:
            heard(number)
        if first and self.waits:
            _alarm(self.patience)
        else:
            self.on_alarm(number, frame)

    def on_alarm(self, number: int, frame: FrameType | None) -> None:
        """Raise Stopped, unless what is held is to be done first, and look again in a while."""
        if self.number is None:
            return
        if self.waits and self.held and time.monotonic() - self._since < self.longest:
            _alarm(self.patience / 10)
            return
        raise Stopped(self.number)


@contextmanager
def stopping_later() -> Iterator[LaterStop]:
    """Let signals that ask to end wait in the block, while `waits` is true.

    A request that is not met raises Stopped after `LaterStop.patience` seconds, and so does a second one. Does nothing
    outside the main thread.

    Yields:
        The request, which has no number before there is one.

    Raises:
        Stopped: In place of what ended the block, after a request. A block that ends as it should has met it.
    """
    later = LaterStop()
    with _handling(later.on_signal, {_SIGALRM: later.on_alarm}):
        try:
            yield later
        except Stopped:
            raise
        except BaseException as error:
            if later.number is None:
                raise
            raise Stopped(later.number) from error
        finally:
            later.calm()


class StopEvent(threading.Event):
    """A request to end, for the threads and processes that are to heed it.

    Attributes:
        number: Number of the signal; SIGTERM where it was set without one.
        urgent: Set by a second request: nothing is waited for any more.
    """

    def __init__(self) -> None:
        super().__init__()
        self.number = int(signal.SIGTERM)
        self.urgent = threading.Event()

    def ask(self, number: int) -> None:
        """Ask to end, and the second time at once."""
        if self.is_set():
            self.urgent.set()
        else:
            self.number = int(number)
            self.set()


@contextmanager
def asking(stop: StopEvent) -> Iterator[StopEvent]:
    """Let signals that ask to end do so by an event. Does nothing outside the main thread.

    Args:
        stop: The event.

    Yields:
        The event.
    """
    requests = Requests()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if requests.note(number):
            stop.ask(number)

    with _handling(on_signal):
        yield stop


# Absent on Windows, where a request then waits for as long as it takes.
_SIGCHLD, _SIGALRM = (signal.Signals.__members__.get(name) for name in ("SIGCHLD", "SIGALRM"))


def _alarm(seconds: float) -> None:
    if _SIGALRM is not None and threading.current_thread() is threading.main_thread():
        signal.setitimer(signal.ITIMER_REAL, seconds)


@contextmanager
def _handling(on_signal: Callable[[int, FrameType | None], None], others: Mapping[Any, Any] | None = None) -> Any:
    """Handle the signals that ask to end, but for those that are ignored, and some others."""
    if threading.current_thread() is not threading.main_thread():  # only that one may change handlers
        yield
        return
    heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {**dict.fromkeys(heeded, on_signal), **(others or {})}
    before = {number: signal.getsignal(number) for number in (*handlers, _SIGCHLD) if number is not None}
    for number, handler in handlers.items():
        _set(number, handler)
    try:
        with _asked_again():
            yield
    finally:
        for number, handler in before.items():
            _set(number, handler)


@contextmanager
def _asked_again() -> Iterator[None]:
    """Repeat a request that is lost where Python lets no error out, such as at the end of an object."""
    tell, waiting = sys.unraisablehook, list[threading.Timer]()

    def ask_again(lost: Any) -> None:
        if not isinstance(lost.exc_value, Stopped):
            tell(lost)
            return
        # From another thread: a signal of this one's own would be handled here, and be lost again.
        again = threading.Timer(1.1 * _ONE_REQUEST, os.kill, (os.getpid(), lost.exc_value.number))
        again.daemon = True
        again.start()
        waiting.append(again)

    sys.unraisablehook = ask_again
    try:
        yield
    finally:
        sys.unraisablehook = tell
        for again in waiting:
            again.cancel()


def stay_done() -> None:
    """Ignore from here on what asks the process to end, since it does; Ctrl-C ends what may hang in its end."""
    for number in STOP_SIGNALS:
        if number != signal.SIGINT:
            signal.signal(number, signal.SIG_IGN)


def _set(number: Any, handler: Any) -> None:
    if number is not None and handler is not None:  # one that Python did not set, and cannot set again
        signal.signal(number, handler)
