"""Decoding in a process that can be killed: a decoder that hangs or crashes loses its video and nothing else.

The frames are written straight into memory that both processes map, so that they are not copied.
"""

from __future__ import annotations

import functools
import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from videogn.axes import Crop
from videogn.checks import require_positive
from videogn.choices import FRAME_RATE
from videogn.system.killable import ON_POSIX, KillableProcess, ProcessDiedError, TimeLimitError, check_limit
from videogn.video.decoders.decode import OpenVideo, check_indices, open_video
from videogn.video.decoders.frame_source import FrameSource, Opener, check_window
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.decoders.readers import AUTO
from videogn.video.decoders.shared_buffer import SharedBuffer
from videogn.video.decoders.time_limit import in_seconds, time_limit
from videogn.video.errors import NotExactError, VideoDecodeError

if TYPE_CHECKING:
    from videogn.video.decoders.decode import Indices

#: Seconds left to a video whose time is up: a limit has to be positive.
_NO_TIME = 1e-3
_FACTORY = "videogn.video.decoders.guard:Decoding"

_log = logging.getLogger(__name__)


class Decoding:
    """The decoding side, in the killable process: one open video after another.

    Args:
        descriptor: File descriptor of the buffer that frames are written to.
        frame_rate: Frames per second of folders of images.
    """

    def __init__(self, descriptor: int, frame_rate: float) -> None:
        logging.disable()  # the process that receives the frames reports all errors
        self._buffer = SharedBuffer(descriptor)
        self._frame_rate = frame_rate
        self._video: OpenVideo | None = None

    def open(self, path: str, decoder: str) -> tuple[VideoInfo, str | None]:
        """Open a video.

        Returns:
            The facts of the video, and its `fallback`.
        """
        self.close()
        self._video = OpenVideo(path, decoder, self._frame_rate)
        return self._video.info, self._video.fallback

    def pixels(self, indices: np.ndarray, window: Crop) -> str | None:
        """Decode frames into the buffer.

        Returns:
            The `fallback` of the video.
        """
        assert self._video is not None
        out = self._buffer.array((len(indices), window.height, window.width, 3))
        self._video.pixels(indices, window, out)
        return self._video.fallback

    def times(self) -> np.ndarray:
        """Return when each frame is displayed; see `OpenVideo.times`."""
        assert self._video is not None
        return self._video.times()

    def intact(self) -> np.ndarray:
        """Return the frames that decode; see `OpenVideo.intact`."""
        assert self._video is not None
        return self._video.intact()

    def close(self) -> None:
        """Close the video, if one is open."""
        if self._video is not None:
            self._video.close()
        self._video = None


class GuardedVideo(FrameSource):
    """An open video that another process decodes; see `VideoGuard.open`.

    Attributes:
        info: Number of frames, rate and size.
        decoder: Decoder in use.
        fallback: Reason why PyAV took the place of the decoder that was asked for, or None.
    """

    def __init__(self, path: str, decoder: str, process: KillableProcess, buffer: SharedBuffer, limit: float) -> None:
        self._path = path
        self._process = process
        self._buffer = buffer
        self._limit = self._left = limit
        if process.pid is None:  # starting the process does not count as the video's time
            self._call("close")
            self._left = limit
        self._base = limit
        self._open(decoder)

    def pixels(self, indices: Indices, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Decode frames; see `OpenVideo.pixels`.

        Returns:
            `out`, or else uint8 (N, h, w, 3) that the next call overwrites.

        Raises:
            ValueError: If the indices or the window are out of range.
            VideoDecodeError: If a frame cannot be decoded, the time is up, or the decoder crashed.
        """
        wanted = check_indices(indices, self.info, self._path)
        window = check_window(window, *self.info.stored_size)
        decoded = self._buffer.array((len(wanted), window.height, window.width, 3))
        self._extend(time_limit(self._base, self.info, int(wanted[-1]) + 1))
        try:
            self._note(self._call("pixels", wanted, window))
        except NotExactError as error:
            self._replace(error)
            self._call("pixels", wanted, window)
        if out is None:
            return decoded
        np.copyto(out, decoded)
        return out

    def times(self) -> np.ndarray:
        """See `FrameSource.times`."""
        times: np.ndarray = self._call("times")
        return times

    def intact(self) -> np.ndarray:
        """See `FrameSource.intact`."""
        self._extend(time_limit(self._base, self.info))
        intact: np.ndarray = self._call("intact")
        return intact

    def close(self) -> None:
        """Release the file."""
        if self._process.pid is not None:
            with suppress(VideoDecodeError):
                self._call("close")
        self._buffer.trim()

    def _open(self, decoder: str) -> None:
        self.decoder = AUTO if decoder == "auto" else decoder
        try:
            self.info, fallback = self._call("open", self._path, decoder)
        except NotExactError as error:
            self._replace(error)
        else:
            self._note(fallback)

    def _replace(self, error: NotExactError) -> None:
        """Let PyAV take the place of a decoder that hung or crashed, with the same time; give up if it was PyAV."""
        if self.decoder == AUTO:
            raise error
        self._left = self._limit
        self._open(AUTO)
        self._note(error.reason)

    def _note(self, fallback: str | None) -> None:
        if fallback is not None:
            self.decoder, self.fallback = AUTO, fallback

    def _extend(self, limit: float) -> None:
        """Give more time to frames that lie far from the beginning: all those before them may have to be decoded."""
        more = max(0.0, limit - self._limit)
        self._limit += more
        self._left += more

    def _call(self, method: str, *arguments: Any) -> Any:
        start = time.monotonic()
        try:
            return self._process.call(method, *arguments, limit=max(self._left, _NO_TIME))
        except TimeLimitError as error:
            reason = f"not decoded within {in_seconds(self._limit)}; the decoder was stopped"
            raise NotExactError(self._path, reason) from error
        except ProcessDiedError as error:
            raise NotExactError(self._path, f"the decoder crashed ({error})") from error
        finally:
            self._left -= time.monotonic() - start


class VideoGuard:
    """Opens videos in a separate process, which is killed and replaced if a video takes too long or crashes it.

    The process starts with the first video. After a fork, and when unpickled, the guard starts another one. Threads
    wait for one another.

    Args:
        limit: Seconds for one small video, to open it and to decode all its frames; a large one has more, see
            `time_limit`. Time between the calls does not count.
        frame_rate: Frames per second of folders of images. Default: 25.

    Raises:
        ValueError: If the limit is not positive, or exceeds 11 days.
    """

    def __init__(self, limit: float, frame_rate: float = FRAME_RATE) -> None:
        check_limit("the time limit of a video", limit)
        self.limit = limit
        self.frame_rate = frame_rate
        self._owner: int | None = None
        self._turn = threading.Lock()
        self._holder: int | None = None
        self._buffer: SharedBuffer
        self._process: KillableProcess

    def __reduce__(self) -> tuple[type[VideoGuard], tuple[float, float]]:
        return VideoGuard, (self.limit, self.frame_rate)

    @contextmanager
    def open(self, path: str | os.PathLike[str], decoder: str = "auto") -> Iterator[GuardedVideo | OpenVideo]:
        """Open a video in the process; one video at a time. See `open_video`.

        Args:
            path: File, member of a tar shard, or URL of either; or a folder of numbered images.
            decoder: One of `DECODERS`. Default: "auto".

        Yields:
            The open video. Each call for frames overwrites those of the call before.

        Raises:
            ValueError: If the decoder is unknown.
            VideoDecodeError: If the file cannot be read within the time limit, or it crashes the decoder.
            StartError: If the process cannot be started.
            RuntimeError: If this thread has a video of this guard open.
        """
        if not ON_POSIX:
            _say_unguarded()
            with open_video(path, decoder, self.frame_rate) as video:
                yield video
            return
        with self._alone():
            guarded = GuardedVideo(os.fspath(path), decoder, self._process, self._buffer, self.limit)
            try:
                yield guarded
            finally:
                guarded.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other threads from the process, which has one video open; it is this process's own."""
        if self._owner not in (None, os.getpid()):  # after a fork, lock and buffer are the parent's
            self._turn, self._holder, self._owner = threading.Lock(), None, None
        if self._holder == threading.get_ident():  # which would wait for itself
            raise RuntimeError("a VideoGuard has one video open at a time")
        with self._turn:
            self._holder = threading.get_ident()
            try:
                if self._owner is None:
                    self._buffer = SharedBuffer()
                    buffer = self._buffer.descriptor
                    self._process = KillableProcess(_FACTORY, buffer, self.frame_rate, inherit=[buffer])
                    self._owner = os.getpid()
                yield
            finally:
                self._holder = None

    def close(self) -> None:
        """End the process and give its memory back; a later `open` starts another one."""
        if self._owner == os.getpid():
            self._process.close()
            del self._process, self._buffer
            self._owner = None


class Unguarded:
    """Opens videos in this process, in the place of a `VideoGuard`.

    Args:
        frame_rate: Frames per second of folders of images.
    """

    def __init__(self, frame_rate: float) -> None:
        self.open = functools.partial(open_video, frame_rate=frame_rate)

    def close(self) -> None:
        """There is no process to end."""


def video_guard(limit: float, frame_rate: float = FRAME_RATE) -> VideoGuard | Unguarded:
    """Make what opens videos for training, testing and prediction.

    Args:
        limit: Seconds for one small video, which is then decoded in a process of its own; 0 decodes in this process.
        frame_rate: Frames per second of folders of images. Default: 25.

    Raises:
        ValueError: If a number is out of range.
    """
    require_positive("frame_rate", frame_rate)
    return Unguarded(frame_rate) if limit == 0 else VideoGuard(limit, frame_rate)


def video_opener(limit: float, frame_rate: float = FRAME_RATE) -> Opener:
    """Make the function that opens videos: `open` of a `video_guard`, which lives as long as the function."""
    return video_guard(limit, frame_rate).open


@functools.cache
def _say_unguarded() -> None:
    _log.warning("videos are decoded without a time limit: this system cannot hand a file to another process")
