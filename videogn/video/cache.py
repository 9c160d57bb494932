"""Whole decoded videos kept in memory: for small data sets of small videos, where decoding costs more than training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from videogn.video.decode import open_video
from videogn.video.scan import VideoInfo


class DecodedVideo:
    """A video whose frames are all in memory; stands in for an open one.

    Args:
        info: its size, rate and number of frames.
        frames: uint8 (N, H, W, 3), all of them.
    """

    def __init__(self, info: VideoInfo, frames: np.ndarray) -> None:
        self.info = info
        self._frames = frames

    def frames(self, indices: np.ndarray) -> np.ndarray:
        """Integers (N,) -> uint8 (N, H, W, 3)."""
        return self._frames[indices]


class FrameCache:
    """Decodes every video once, whole, and keeps it: frames x height x width x 3 bytes each, per loader process."""

    def __init__(self) -> None:
        self._videos: dict[str, DecodedVideo] = {}

    @contextmanager
    def open(self, path: str, decoder: str = "auto") -> Iterator[DecodedVideo]:
        """As `open_video`, from memory from the second time on.

        Raises:
            VideoDecodeError: a frame of the file cannot be decoded, be it one that nobody asked for.
        """
        if path not in self._videos:
            with open_video(path, decoder) as video:
                self._videos[path] = DecodedVideo(video.info, video.frames(np.arange(video.info.frames)))
        yield self._videos[path]
