"""Processes for work that may hang or crash in native code, so that they can be killed and replaced.

Native code that loops while it holds Python's lock stops every thread of its process and runs no signal handler:
nothing inside the process can end it. Such work is done in a process of its own, which imports only what it needs and
is killed by the process that waits for it when a time limit is over.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

#: Seconds that a new process may take to import what it needs; generous, since many may start at once.
_START_LIMIT = 300.0
#: Times that a process is started which is killed, for want of memory for instance, before it is ready.
_STARTS = 3
#: Seconds after its limit when the process ends itself, in case the process that should kill it has ended.
_GRACE = 10.0
#: Seconds that a killed process may take to end. One that waits for a dead disk or server does not end until then.
_END_LIMIT = 5.0
#: Seconds waited at a time.
_STEP = 0.5
#: Longest time limit in seconds; system calls overflow at about twice as many.
LONGEST = 1e6
#: Program of the process. -P and the path keep its working directory, and any socket.py there, out of the imports.
_PROGRAM = "import sys; sys.path[:] = sys.argv[2:]; from videogn.system.killable import serve; serve(int(sys.argv[1]))"
#: Whether a process inherits open files under their numbers.
ON_POSIX = os.name == "posix"


class TimeLimitError(Exception):
    """The work took too long, and its process was killed."""


class ProcessDiedError(Exception):
    """The process ended during its work; the message says how."""


class _LateAlarmError(ProcessDiedError):
    """The process ended itself, later than its owner should have ended it."""


class StartError(OSError):
    """The process could not be started, whatever the work; the message says how."""


def check_limit(name: str, seconds: float) -> None:
    """Raise ValueError for a time limit that is not positive or more than 11 days.

    Args:
        name: Name of the argument.
        seconds: Value of the argument.
    """
    if not 0 < seconds <= LONGEST:
        raise ValueError(f"{name} must be between 0 and {LONGEST:.0f} seconds, got {seconds:g}")


class KillableProcess:
    """An object in a process of its own, whose methods are called with a time limit.

    A process that hangs or dies is replaced at the next call by a new process with a new object. Only one thread at a
    time may call. After a fork the child has a process of its own.

    Args:
        factory: Function or class that makes the object, as "module:name". It is called in the new process.
        arguments: Arguments of the factory; they must be picklable.
        inherit: File descriptors that the process keeps open under the same numbers. Default: none.
    """

    def __init__(self, factory: str, *arguments: Any, inherit: Sequence[int] = ()) -> None:
        self._factory = factory
        self._arguments = arguments
        self._inherit = tuple(inherit)
        self._owner = os.getpid()
        self._connection: Connection | None = None
        self._end: weakref.finalize[..., Any] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Number of the process, or None if it is not running."""
        return self._process.pid if self._process is not None and self._owner == os.getpid() else None

    def call(self, method: str, *arguments: Any, limit: float) -> Any:
        """Call a method of the object and wait for its return value.

        Args:
            method: Name of the method.
            arguments: Arguments of the method; they must be picklable.
            limit: Time limit in seconds, see `check_limit`. The start of the process does not count.

        Returns:
            Return value of the method.

        Raises:
            StartError: The process could not be started.
            TimeLimitError: The limit was exceeded.
            ProcessDiedError: The process ended.
            Exception: Any exception of the method or the factory.
        """
        check_limit("limit", limit)
        if self._connection is None or self._owner != os.getpid():
            self._start()
        try:
            return self._answer((method, arguments), limit)
        except _LateAlarmError:  # it was stopped in the middle of its work, and so was this process
            self._start()
            return self._answer((method, arguments), limit)

    def kill(self) -> None:
        """Kill the process from another thread; a call that waits for it raises ProcessDiedError."""
        process = self._process
        if process is not None and self._owner == os.getpid():
            process.kill()

    def close(self) -> None:
        """End the process. A later call starts a new one."""
        if self._end is not None and self._owner == os.getpid():
            self._end()
        self._connection = self._end = self._process = None

    def _start(self) -> None:
        for left in reversed(range(_STARTS)):
            self._connection = self._end = self._process = None  # after a fork, those of the parent
            self._owner = os.getpid()
            self._process, self._connection = _launch(self._inherit)
            self._end = weakref.finalize(self, _end, self._process, self._connection)
            try:
                self._answer((self._factory, self._arguments), _START_LIMIT)
                return
            except TimeLimitError as error:
                raise StartError(f"{self._factory}: its process did not start in {_START_LIMIT:g} s") from error
            except ProcessDiedError as error:
                if left == 0:
                    raise StartError(f"{self._factory}: {error} before it could start") from error
            except BaseException:
                self.close()
                raise

    def _answer(self, question: tuple[str, tuple[Any, ...]], limit: float) -> Any:
        """Send a question to the process and wait for its answer, a return value or an exception."""
        assert self._connection is not None
        try:
            self._connection.send((*question, limit + _GRACE))
            if not _answered(self._connection, limit):
                raise TimeLimitError(f"not done after {limit:g} s")
            succeeded, value = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise self._obituary() from error
        except BaseException:
            # After an interrupt the answer to this question would be taken for that to the next.
            self.close()
            raise
        if not succeeded:
            raise value
        return value

    def _obituary(self) -> ProcessDiedError:
        """Say how the process ended."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_LIMIT)
        status = self._process.returncode
        self.close()
        if status is None:
            return ProcessDiedError("its process no longer answers")
        if status < 0:
            kind = _LateAlarmError if -status == signal.SIGALRM else ProcessDiedError
            return kind(f"its process was ended by {signal.Signals(-status).name}")
        return ProcessDiedError(f"its process ended with status {status}")


def _launch(inherit: Sequence[int]) -> tuple[subprocess.Popen[bytes], Connection]:
    """Start a process that answers calls at the other end of a connection."""
    if not ON_POSIX:
        raise StartError("a process that can be killed needs Linux, macOS or another POSIX system")
    try:
        ours, theirs = socket.socketpair()
        with ours, theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, str(theirs.fileno()), *map(str, sys.path)],
                pass_fds=(theirs.fileno(), *inherit),
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C and Ctrl-Z go to a group: the owner ends this one, and waits for it
            )
            return process, Connection(ours.detach())
    except OSError as error:  # no memory, too many processes or files
        raise StartError(f"a process that can be killed cannot be started ({error.strerror})") from error


def _answered(connection: Connection, limit: float) -> bool:
    """Wait for an answer; time in which this process was stopped, by Ctrl-Z for instance, does not count."""
    while limit > 0:
        step = min(limit, _STEP)
        if connection.poll(step):
            return True
        limit -= step
    return connection.poll(0)


def _end(process: subprocess.Popen[bytes], connection: Connection) -> None:
    process.kill()
    connection.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_END_LIMIT)


def serve(descriptor: int) -> None:
    """Make the object and answer calls until the other side closes the connection.

    Args:
        descriptor: File descriptor of the socket to the other side.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they go to all processes; the owner ends this one
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    with suppress(EOFError, ConnectionError):
        _serve(Connection(descriptor))


def _serve(connection: Connection) -> None:
    served: Any = None
    while True:
        name, arguments, limit = connection.recv()
        answer: tuple[bool, Any] = (True, None)
        # The signal's default action ends the process even when native code never returns to Python.
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            if served is None:
                served = _imported(name)(*arguments)
            else:
                answer = (True, getattr(served, name)(*arguments))
        except Exception as error:
            answer = (False, error)
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send(answer)


def _imported(factory: str) -> Callable[..., Any]:
    module, _, name = factory.partition(":")
    try:
        made: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise StartError(f"{factory} cannot be imported in a process of its own ({error})") from error
    return made
