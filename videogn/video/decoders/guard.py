"""Decoding in a process that can be killed: a decoder that hangs or crashes costs its video, and nothing else.

The frames are written straight into memory that both processes map, so that they cross without being copied.
"""

from __future__ import annotations

import functools
import logging
import mmap
import os
import tempfile
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from videogn.axes import Crop
from videogn.system.killable import ON_POSIX, KillableProcess, ProcessDiedError, TimeLimitError, check_limit
from videogn.video.decoders.decode import OpenVideo, check_indices, check_window, open_video
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.errors import VideoDecodeError

if TYPE_CHECKING:
    from videogn.video.decoders.decode import Indices

#: Pages beyond this many bytes are given back after the video that needed them.
_KEPT = 256 << 20

#: Seconds left to a video whose time is over: a limit has to be positive.
_NO_TIME = 1e-3
_FACTORY = "videogn.video.decoders.guard:Decoding"

_log = logging.getLogger(__name__)


class SharedBuffer:
    """Memory that several processes map, by a file descriptor; grows as needed.

    Args:
        descriptor: of another process's buffer; None for a new one.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        if descriptor is None:
            descriptor = _memory_file()
            weakref.finalize(self, os.close, descriptor)
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    def array(self, shape: tuple[int, ...]) -> np.ndarray:
        """The beginning of the memory as uint8 of this shape, which is overwritten when the memory is used again."""
        size = int(np.prod(shape))
        if self._map is None or len(self._map) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
            # The map before lives on in the arrays that were made of it.
            self._map = mmap.mmap(self.descriptor, os.fstat(self.descriptor).st_size)
        return np.frombuffer(self._map, np.uint8, size).reshape(shape)

    def trim(self) -> None:
        """Give a large buffer's pages back to the system; they return, as zeros, when they are used again."""
        if self._map is not None and len(self._map) > _KEPT and hasattr(mmap, "MADV_REMOVE"):
            with suppress(OSError):  # a file system that cannot
                self._map.madvise(mmap.MADV_REMOVE, _KEPT)


def _memory_file() -> int:
    """A file without a name: in memory where the system has that (/dev/shm may be small), else on the disk."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("videogn frames")
    descriptor, name = tempfile.mkstemp(prefix="videogn-")
    os.unlink(name)
    return descriptor


class Decoding:
    """The side in the process: one open video after another.

    Args:
        descriptor: of the buffer that takes the frames.
    """

    def __init__(self, descriptor: int) -> None:
        logging.disable()  # what is worth saying is said where the frames go
        self._buffer = SharedBuffer(descriptor)
        self._video: OpenVideo | None = None

    def open(self, path: str, decoder: str) -> tuple[VideoInfo, str]:
        """Open a video; returns its facts and the decoder in use."""
        self.close()
        self._video = OpenVideo(path, decoder)
        return self._video.info, self._video.decoder

    def frames(self, indices: np.ndarray, window: Crop) -> None:
        """Decode into the buffer."""
        assert self._video is not None
        out = self._buffer.array((len(indices), window.height, window.width, 3))
        self._video.frames(indices, window, out)

    def close(self) -> None:
        """Close the video, if one is open."""
        if self._video is not None:
            self._video.close()
        self._video = None


class GuardedVideo:
    """An open video that another process decodes; `VideoGuard.open` makes one.

    Attributes:
        info: its size, rate and number of frames.
        decoder: the decoder in use.
    """

    def __init__(self, path: str, decoder: str, process: KillableProcess, buffer: SharedBuffer, limit: float) -> None:
        self._path = path
        self._process = process
        self._buffer = buffer
        self._limit = self._left = limit
        if process.pid is None:  # its start is not the video's fault
            self._call("close")
            self._left = limit
        self.info, self.decoder = self._call("open", path, decoder)

    def frames(self, indices: Indices, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """As `OpenVideo.frames`.

        Returns:
            `out`; or, without one, uint8 (N, h, w, 3), which the next call overwrites: copy what is kept.

        Raises:
            ValueError: as there.
            VideoDecodeError: as there; or the time is over, or the decoder crashed.
        """
        wanted = check_indices(indices, self.info, self._path)
        window = check_window(window, self.info)
        decoded = self._buffer.array((len(wanted), window.height, window.width, 3))
        self._call("frames", wanted, window)
        if out is None:
            return decoded
        np.copyto(out, decoded)
        return out

    def close(self) -> None:
        """Release the file; `VideoGuard.open` does it on leaving."""
        if self._process.pid is not None:
            with suppress(VideoDecodeError):
                self._call("close")
        self._buffer.trim()

    def _call(self, method: str, *arguments: Any) -> Any:
        start = time.monotonic()
        try:
            return self._process.call(method, *arguments, limit=max(self._left, _NO_TIME))
        except TimeLimitError as error:
            reason = f"not decoded within {self._limit:g} s; the decoder was stopped"
            raise VideoDecodeError(self._path, reason) from error
        except ProcessDiedError as error:
            raise VideoDecodeError(self._path, f"the decoder crashed ({error})") from error
        finally:
            self._left -= time.monotonic() - start


class VideoGuard:
    """Opens videos in a process of its own, which is killed and replaced when a video takes too long or crashes it.

    The process starts with the first video. After a fork, and when unpickled, the guard starts another.

    Args:
        limit: seconds for one video, opening and all its frames; what is done between the calls does not count.

    Raises:
        ValueError: a limit that is not positive, or more than 11 days.
    """

    def __init__(self, limit: float) -> None:
        check_limit("the time limit of a video", limit)
        self.limit = limit
        self._owner: int | None = None
        self._buffer: SharedBuffer
        self._process: KillableProcess

    def __reduce__(self) -> tuple[type[VideoGuard], tuple[float]]:
        return VideoGuard, (self.limit,)

    @contextmanager
    def open(self, path: str | os.PathLike[str], decoder: str = "auto") -> Iterator[GuardedVideo | OpenVideo]:
        """As `open_video`, in the process. One video at a time.

        Args:
            path: the file, a member of a shard, or a URL of either.
            decoder: one of `DECODERS`.

        Yields:
            The open video. Its frames are overwritten by the next call.

        Raises:
            ValueError: an unknown decoder.
            VideoDecodeError: the file cannot be read, or not within the time, or it crashes the decoder.
            StartError: the process cannot be started.
        """
        if not ON_POSIX:
            _say_unguarded()
            with open_video(path, decoder) as video:
                yield video
            return
        if self._owner != os.getpid():  # after a fork the buffer is the parent's
            self._buffer = SharedBuffer()
            self._process = KillableProcess(_FACTORY, self._buffer.descriptor, inherit=[self._buffer.descriptor])
            self._owner = os.getpid()
        guarded = GuardedVideo(os.fspath(path), decoder, self._process, self._buffer, self.limit)
        try:
            yield guarded
        finally:
            guarded.close()

    def close(self) -> None:
        """End the process; a later `open` starts another."""
        if self._owner == os.getpid():
            self._process.close()


@functools.cache
def _say_unguarded() -> None:
    _log.warning("videos are decoded without a time limit: this system cannot hand a file to another process")
