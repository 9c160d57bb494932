"""Temporary files that do not pile up, even if processes are killed."""

from __future__ import annotations

import glob
import os
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress

from videogn.system.room import naming

try:
    import fcntl
except ImportError:  # Windows, where killed processes leave their files
    fcntl = None  # type: ignore[assignment]

_PREFIX, _SUFFIX = "videogn-", ".arrow"


class TemporaryFile:
    """A named file that is removed with this object, at the latest with its process.

    A killed process removes nothing. Each file is therefore locked while its process, or a fork of it, lives; making a
    file removes all those that are not locked.

    Args:
        write: Function that writes the file, given its path.

    Attributes:
        path: Path of the file.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        _sweep()
        descriptor, self.path = _locked_file()
        # A forked process has a copy of this object and must not remove the file.
        self._finalizer = weakref.finalize(self, _remove, self.path, descriptor, os.getpid())
        with naming(self.path):
            write(self.path)


def _locked_file() -> tuple[int, str]:
    while True:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX)
        # Another process may have removed it before it was locked.
        if _locks(descriptor) and os.path.exists(path):
            return descriptor, path
        os.close(descriptor)


def _locks(descriptor: int) -> bool:
    """Lock an open file; return False if another process has locked it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _sweep() -> None:
    """Remove the files of processes that have ended."""
    if fcntl is None:
        return
    for path in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}*{_SUFFIX}")):
        with suppress(OSError):  # another user's, or removed meanwhile
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
