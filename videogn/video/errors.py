"""Errors that say why a video cannot be read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager


class VideoDecodeError(Exception):
    """A video that cannot be read.

    Attributes:
        path: File, member of a tar shard, or URL.
        reason: Short reason, without the path.
    """

    def __init__(self, path: str | os.PathLike[str], reason: str) -> None:
        # Both go to Exception, so that pickle can rebuild the error in another process.
        super().__init__(str(path), reason)
        self.path = str(path)
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class MissingVideoError(VideoDecodeError):
    """The file, shard, member or object does not exist."""


class EmptyVideoError(VideoDecodeError):
    """The file has no bytes."""


class NotExactError(VideoDecodeError):
    """A decoder that gives other frames than PyAV, or fails, hangs or crashes on the file; PyAV may read it."""


@contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn any error in the block into a VideoDecodeError: the errors that a damaged file causes cannot be listed.

    Args:
        path: File that the block reads. Nothing else may fail in the block.

    Raises:
        VideoDecodeError: If the block raises any error.
    """
    try:
        yield
    except VideoDecodeError:
        raise
    except Exception as error:
        raise VideoDecodeError(path, f"cannot be read ({explain(error)})") from error


def explain(error: Exception) -> str:
    """Return the system's or FFmpeg's message of an error on one line, without its number and function names."""
    words = str(getattr(error, "strerror", None) or error).strip()
    return words.splitlines()[0] if words else type(error).__name__
