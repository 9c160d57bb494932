"""Opening a video stream with PyAV and decoding it forward, and the one error that says why a video cannot be read."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


# Titles in odd encodings do not matter here. Up to version 18 PyAV raises because of them unless told not to.
_OPEN_OPTIONS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


class VideoDecodeError(Exception):
    """A video that cannot be read.

    Attributes:
        path: the file.
        reason: why, in a few words, without the path.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        # Both go to Exception, which is what lets pickle rebuild the error in another process.
        super().__init__(str(path), reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def explain(error: Exception) -> str:
    """The system's or FFmpeg's own words for an error, without numbers and function names."""
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _check_file(path: Path) -> None:
    try:
        if not path.exists():
            raise VideoDecodeError(path, "file not found")
        if path.is_dir():
            raise VideoDecodeError(path, "is a directory")
        if not path.is_file():  # opening a pipe would wait for ever
            raise VideoDecodeError(path, "not a regular file")
        if path.stat().st_size == 0:
            raise VideoDecodeError(path, "file is empty")
    except (OSError, ValueError) as error:
        raise VideoDecodeError(path, f"cannot be opened ({explain(error)})") from error


@contextmanager
def open_stream(path: str | os.PathLike[str]) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file's best video stream for decoding in one thread.

    Args:
        path: the file.

    Yields:
        The container and its video stream; both are closed on leaving.

    Raises:
        VideoDecodeError: the file is missing, empty, not a video, or has no video stream or no decoder for it.
    """
    _check_file(Path(path))
    try:
        # An absolute path cannot be mistaken for a protocol ("a:b.mp4").
        container = av.open(os.path.abspath(path), **_OPEN_OPTIONS)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoDecodeError(path, f"not a readable video ({explain(error)})") from error
    with container:
        stream: Any = container.streams.best("video")
        if stream is None or stream.disposition & av.stream.Disposition.attached_pic:
            raise VideoDecodeError(path, "no video stream")
        if stream.codec_context is None:
            raise VideoDecodeError(path, "no decoder for its video stream")
        if stream.codec_context.name == "ansi":  # any file named .txt
            raise VideoDecodeError(path, "not a readable video (plain text)")
        # Frame threads can deadlock when decoding stops early.
        stream.thread_type = "SLICE"
        stream.codec_context.thread_count = 1
        yield container, stream


def pictures(
    container: InputContainer, stream: VideoStream, key_pts: int | None = None
) -> Generator[VideoFrame, None, None]:
    """Decode from the container's position on.

    Packets before a key frame are thrown away, as decoders make up pictures from them. Where decoding fails, the
    pictures finished before are given first.

    Args:
        container: from `open_stream`.
        stream: from `open_stream`.
        key_pts: time stamp of the key frame to start at; None for the first that comes.

    Yields:
        Pictures in the order of display, the ones that an edit list hides left out.

    Raises:
        av.error.FFmpegError: a packet cannot be read or decoded.
    """
    started = False
    try:
        for packet in container.demux(stream):
            if packet.size and not started:
                started = packet.is_keyframe and key_pts in (None, packet.pts)
            if started:
                yield from packet.decode()
    except av.error.FFmpegError:
        yield from _flush(stream)
        raise


def _flush(stream: VideoStream) -> list[VideoFrame]:
    try:
        return stream.decode(None)
    except av.error.FFmpegError:
        return []
