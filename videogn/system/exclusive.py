"""One writer at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def only_writer(out: Path, lock: Path) -> Iterator[None]:
    """Hold a lock while a file is written. The system releases it when the process ends, even if it is killed.

    Args:
        out: File that is written, for the message.
        lock: File that is locked; made if it does not exist, and left there.

    Raises:
        ValueError: Another process holds the lock.
        OSError: The folder of the lock cannot be written.
    """
    lock.touch()  # its error says better than the lock's why a folder cannot be written
    held = FileLock(lock, timeout=0)
    try:
        held.acquire()
    except Timeout as error:
        raise ValueError(f"another videogn is writing {out}; wait for it, or name another file") from error
    try:
        yield
    finally:
        held.release()
