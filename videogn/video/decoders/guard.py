"""Decoding in a process that can be killed: a decoder that hangs or crashes loses its video and nothing else.

The frames are written straight into memory that both processes map, so that they are not copied.
"""

from __future__ import annotations

import functools
import logging
import mmap
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from videogn.axes import Crop
from videogn.system.killable import ON_POSIX, KillableProcess, ProcessDiedError, TimeLimitError, check_limit
from videogn.system.memory_file import memory_file
from videogn.video.decoders.decode import OpenVideo, check_indices, check_window, open_video
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.errors import VideoDecodeError

if TYPE_CHECKING:
    from videogn.video.decoders.decode import Indices

#: Bytes of the buffer that are kept; pages beyond are given back after the video that needed them.
_KEPT = 256 << 20

#: Seconds left to a video whose time is up: a limit has to be positive.
_NO_TIME = 1e-3
_FACTORY = "videogn.video.decoders.guard:Decoding"

_log = logging.getLogger(__name__)


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


class Decoding:
    """The decoding side, in the killable process: one open video after another.

    Args:
        descriptor: File descriptor of the buffer that frames are written to.
    """

    def __init__(self, descriptor: int) -> None:
        logging.disable()  # the process that receives the frames reports all errors
        self._buffer = SharedBuffer(descriptor)
        self._video: OpenVideo | None = None

    def open(self, path: str, decoder: str) -> tuple[VideoInfo, str]:
        """Open a video.

        Returns:
            The facts of the video, and the decoder in use.
        """
        self.close()
        self._video = OpenVideo(path, decoder)
        return self._video.info, self._video.decoder

    def frames(self, indices: np.ndarray, window: Crop) -> None:
        """Decode frames into the buffer."""
        assert self._video is not None
        out = self._buffer.array((len(indices), window.height, window.width, 3))
        self._video.frames(indices, window, out)

    def close(self) -> None:
        """Close the video, if one is open."""
        if self._video is not None:
            self._video.close()
        self._video = None


class GuardedVideo:
    """An open video that another process decodes; see `VideoGuard.open`.

    Attributes:
        info: Number of frames, rate and size.
        decoder: Decoder in use.
    """

    def __init__(self, path: str, decoder: str, process: KillableProcess, buffer: SharedBuffer, limit: float) -> None:
        self._path = path
        self._process = process
        self._buffer = buffer
        self._limit = self._left = limit
        if process.pid is None:  # starting the process does not count as the video's time
            self._call("close")
            self._left = limit
        self.info, self.decoder = self._call("open", path, decoder)

    def frames(self, indices: Indices, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Decode frames; see `OpenVideo.frames`.

        Returns:
            `out`, or else uint8 (N, h, w, 3) that the next call overwrites.

        Raises:
            ValueError: If the indices or the window are out of range.
            VideoDecodeError: If a frame cannot be decoded, the time is up, or the decoder crashed.
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
        """Release the file."""
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
    """Opens videos in a separate process, which is killed and replaced if a video takes too long or crashes it.

    The process starts with the first video. After a fork, and when unpickled, the guard starts another one.

    Args:
        limit: Seconds for one video, to open it and to decode all its frames. Time between the calls does not count.

    Raises:
        ValueError: If the limit is not positive, or exceeds 11 days.
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
        """Open a video in the process; one video at a time.

        Args:
            path: File, member of a tar shard, or URL of either.
            decoder: One of `DECODERS`. Default: "auto".

        Yields:
            The open video. Each call for frames overwrites those of the call before.

        Raises:
            ValueError: If the decoder is unknown.
            VideoDecodeError: If the file cannot be read within the time limit, or it crashes the decoder.
            StartError: If the process cannot be started.
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
        """End the process; a later `open` starts another one."""
        if self._owner == os.getpid():
            self._process.close()


@functools.cache
def _say_unguarded() -> None:
    _log.warning("videos are decoded without a time limit: this system cannot hand a file to another process")
