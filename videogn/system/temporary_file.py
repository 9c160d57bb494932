"""Temporary files that do not pile up, even if processes are killed."""

from __future__ import annotations

import glob
import os
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from videogn.system.partial_files import claim, remove_unclaimed
from videogn.system.room import naming

_PREFIX, _SUFFIX = "videogn-", ".arrow"


class TemporaryFile:
    """A named file that is removed with this object, at the latest with its process.

    A killed process removes nothing. Each file is therefore claimed while its process, or a fork of it, lives; making
    a file removes all those that are not.

    Args:
        write: Function that writes the file, given its path.

    Attributes:
        path: Path of the file.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        _sweep()
        descriptor, self.path = _claimed_file()
        # A forked process has a copy of this object and must not remove the file.
        self._finalizer = weakref.finalize(self, _remove, self.path, descriptor, os.getpid())
        with naming(self.path):
            write(self.path)


def _claimed_file() -> tuple[int, str]:
    while True:
        descriptor, path = tempfile.mkstemp(prefix=_PREFIX, suffix=_SUFFIX)
        # Another process may have removed it before it was claimed.
        if claim(descriptor) is not False and os.path.exists(path):
            return descriptor, path
        os.close(descriptor)


def _sweep() -> None:
    """Remove the files of processes that have ended."""
    for path in glob.glob(os.path.join(glob.escape(tempfile.gettempdir()), f"{_PREFIX}*{_SUFFIX}")):
        with suppress(OSError):  # another user's, or removed meanwhile
            remove_unclaimed(Path(path))


def _remove(path: str, descriptor: int, owner: int) -> None:
    if os.getpid() == owner:
        with suppress(OSError):
            os.unlink(path)
        os.close(descriptor)
