"""A process for work that may hang or crash in native code, so that it can be killed and replaced.

Native code that loops with Python's lock held stops every thread of its process and runs no signal handler: nothing
inside the process can end it. So the work is done in a process of its own, which imports only what it needs, and
whoever waits for it kills it when a limit is over.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

#: Seconds in which a new process has to import what it needs; generous, since many may start at once.
_START_LIMIT = 300.0
#: The process ends itself this many seconds after its limit, should whoever has to kill it be gone.
_GRACE = 10.0


class TimeLimitError(Exception):
    """The work took too long; its process was killed."""


class ProcessDiedError(Exception):
    """The process ended in the middle of its work; the message says how."""


class KillableProcess:
    """An object that lives in a process of its own and whose methods are called with a time limit.

    A process that hangs or dies is replaced at the next call, by a new one with a new object. Not for several threads
    at once. After a fork the child gets a process of its own.

    Args:
        factory: "module:name" of what makes the object; called in the new process with `arguments`.
        arguments: picklable.
        inherit: file descriptors that the process keeps open, under the same numbers.
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
        """Number of the process, or None while there is none."""
        return self._process.pid if self._process is not None and self._owner == os.getpid() else None

    def call(self, method: str, *arguments: Any, limit: float) -> Any:
        """Call a method of the object and wait for what it returns.

        Args:
            method: its name.
            arguments: picklable.
            limit: seconds; the start of the process does not count.

        Returns:
            What the method returned.

        Raises:
            TimeLimitError: the limit is over.
            ProcessDiedError: the process ended.
            Exception: whatever the method, or the making of the object, raised.
        """
        connection = self._started()
        try:
            connection.send((method, arguments, limit + _GRACE))
            if not connection.poll(limit):
                self.close()
                raise TimeLimitError(f"not done after {limit:g} s")
            succeeded, value = connection.recv()
        except (EOFError, ConnectionError) as error:
            raise ProcessDiedError(self._obituary()) from error
        except BaseException:
            # Interrupted between a question and its answer: the next answer would be taken for the next question's.
            self.close()
            raise
        if not succeeded:
            raise value
        return value

    def close(self) -> None:
        """End the process; a later call starts a new one."""
        if self._end is not None and self._owner == os.getpid():
            self._end()
        self._connection = self._end = self._process = None

    def _started(self) -> Connection:
        if self._owner != os.getpid():  # a fork: the process belongs to the parent
            self._connection = self._end = self._process = None
            self._owner = os.getpid()
        if self._connection is not None:
            return self._connection
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=(theirs.fileno(), *self._inherit),
                stdin=subprocess.DEVNULL,
            )
        self._connection = Connection(ours.detach())
        self._end = weakref.finalize(self, _end, self._process, self._connection)
        try:
            self._connection.send((sys.path, self._factory, self._arguments))
            if not self._connection.poll(_START_LIMIT):
                self.close()
                raise TimeLimitError(f"its process did not start in {_START_LIMIT:g} s")
            problem = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise ProcessDiedError(self._obituary()) from error
        if problem is not None:
            self.close()
            raise problem
        return self._connection

    def _obituary(self) -> str:
        assert self._process is not None
        status = self._process.wait()
        self.close()
        if status < 0:
            return f"its process was ended by {signal.Signals(-status).name}"
        return f"its process ended with status {status}"


def _end(process: subprocess.Popen[bytes], connection: Connection) -> None:
    process.kill()
    connection.close()
    process.wait()


def _serve(connection: Connection) -> None:
    """Make the object, then answer one call after the other until the other side is gone."""
    path, factory, arguments = connection.recv()
    sys.path[:] = path
    try:
        module, _, name = factory.partition(":")
        served = getattr(importlib.import_module(module), name)(*arguments)
    except Exception as error:
        connection.send(error)
        return
    connection.send(None)
    while True:
        method, arguments, limit = connection.recv()
        # The signal's default action ends the process even when native code never returns to Python.
        signal.setitimer(signal.ITIMER_REAL, limit)
        try:
            answer = (True, getattr(served, method)(*arguments))
        except Exception as error:
            answer = (False, error)
        signal.setitimer(signal.ITIMER_REAL, 0)
        connection.send(answer)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to all processes; whoever owns this one ends it
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    try:
        _serve(Connection(int(sys.argv[1])))
    except (EOFError, ConnectionError):
        sys.exit(0)
