"""Temporary files that do not pile up, even where processes are killed."""

from __future__ import annotations

import glob
import os
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress

try:
    import fcntl
except ImportError:  # not on Windows: there only processes that end by themselves leave nothing
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = "videogn-", ".arrow"


class TemporaryFile:
    """A file that goes with this object, and at the latest with its process.

    A killed process removes nothing. So each file is locked for as long as the process lives that made it, or one that
    was forked off it; whoever makes another one removes those that nobody has locked.

    Args:
        write: writes the file, given its path.

    Attributes:
        path: of the file.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        _sweep()
        descriptor, self.path = _locked_file()
        # A forked process has this object too, and must not remove the file that others use.
        self._finalizer = weakref.finalize(self, _remove, self.path, descriptor, os.getpid())
        write(self.path)


def _locked_file() -> tuple[int, str]:
    while True:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX)
        # Between making and locking it, another process may have swept it away.
        if _locks(descriptor) and os.path.exists(path):
            return descriptor, path
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    """Take the lock of an open file; False where another process has it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep() -> None:
    """Remove the files of processes that are no more."""
    if fcntl is None:
        return
    for path in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}*{_SUFFIX}")):
        with suppress(OSError):  # another user's, or gone meanwhile
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if _locks(descriptor):
                    os.unlink(path)
            finally:
                os.close(descriptor)


def _remove(path: str, descriptor: int, owner: int) -> None:
    if os.getpid() == owner:
        with suppress(OSError):
            os.unlink(path)
        os.close(descriptor)
