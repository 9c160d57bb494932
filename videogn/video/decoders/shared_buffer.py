"""Memory that two processes map: frames are written straight into it, so that they are not copied."""

from __future__ import annotations

import mmap
import os
import weakref
from contextlib import suppress

import numpy as np

from videogn.system.memory_file import memory_file

#: Bytes of the buffer that are kept; pages beyond are given back after the video that needed them.
_KEPT = 256 << 20


class SharedBuffer:
    """Memory that several processes map through a file descriptor; it grows as needed.

    Args:
        descriptor: File descriptor of another process's buffer. Default: a new buffer.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = memory_file()
            weakref.finalize(self, os.close, descriptor)
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """Return the beginning of the memory as a uint8 array of this shape. The next use overwrites it."""
        size = int(np.prod(shape))
        if self._map is None or len(self._map) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
            # Arrays made from the previous map keep it alive.
            self._map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return np.frombuffer(self._map, np.uint8, size).reshape(shape)

    def trim(self) -> None:
        """Give the pages of a large buffer back to the system; they are zeros when they are used again."""
        if self._map is not None and len(self._map) > _KEPT and hasattr(mmap, "MADV_REMOVE"):
            with suppress(OSError):  # a file system that does not support it
                self._map.madvise(mmap.MADV_REMOVE, _KEPT)
