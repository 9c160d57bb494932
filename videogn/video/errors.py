"""The error that says why a video cannot be read."""

from __future__ import annotations

import os


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


class MissingVideoError(VideoDecodeError):
    """There is no such file, shard, member or object."""


class EmptyVideoError(VideoDecodeError):
    """The file has no bytes."""


def explain(error: Exception) -> str:
    """The system's or FFmpeg's own words for an error, without numbers and function names, on one line."""
    words = str(getattr(error, "strerror", None) or error).strip()
    return words.splitlines()[0] if words else type(error).__name__
