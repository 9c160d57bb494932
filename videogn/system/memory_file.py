"""Files without a name, which live in memory: what processes share through them needs no space in /dev/shm."""

from __future__ import annotations

import os
import tempfile


def memory_file(size: int = 0) -> int:
    """Make a file without a name: in memory, or on disk where the system has no such files or forbids them.

    The files of /dev/shm, which POSIX shared memory and PyTorch use, are in memory too, but docker gives them 64 MiB in
    all unless it is told otherwise. Beyond that, writing to such memory kills the process.

    Args:
        size: Size in bytes, which is reserved. Default: 0.

    Returns:
        The descriptor of the file, to be closed by the caller.

    Raises:
        OSError: There is no space for it.
    """
    descriptor = _empty_file()
    if size:
        try:
            _reserve(descriptor, size)
        except OSError:
            os.close(descriptor)
            raise
    return descriptor


def _empty_file() -> int:
    try:
        return os.memfd_create("videogn")
    except (AttributeError, OSError):  # not Linux; or a sandbox forbids it
        descriptor, name = tempfile.mkstemp(prefix="videogn-")
        os.unlink(name)
        return descriptor


def _reserve(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):  # all pages at once take less time than one after the other when written to
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.ftruncate(descriptor, size)
