"""Whole decoded videos kept in memory: for small data sets of small videos, where decoding costs more than training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.decode import VideoDecodeError, open_video
from videogn.video.decoders.frame_source import CHUNK_BYTES, FrameSource, Opener
from videogn.video.decoders.frame_table import VideoInfo


class DecodedVideo:
    """A video whose frames are all in memory; stands in for an open one.

    Args:
        info: its size, rate and number of frames.
        frames: uint8 (N, H, W, 3), all of them.
    """

    def __init__(self, info: VideoInfo, frames: np.ndarray) -> None:
        self.info = info
        self._frames = frames

    @property
    def nbytes(self) -> int:
        """Memory that the frames take."""
        return self._frames.nbytes

    def frames(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Integers (N,) and a rectangle of the frame, all of it by default -> uint8 (N, h, w, 3), a copy."""
        top, left, height, width, _ = window or Crop(0, 0, self.info.height, self.info.width)
        part = self._frames[:, top : top + height, left : left + width]
        return np.take(part, indices, axis=0, out=out)


class FrameCache:
    """Keeps whole videos, at their native size, until so many bytes are full; what is kept stays.

    A video that does not fit beside them, or of which a frame cannot be decoded, is decoded every time. (Where epochs
    are shuffled, letting the longest unused go would throw out what comes next: with room for half the set it finds
    15 % of the videos, instead of 50 %.) Not for several threads at
    once; every loader process has its own.

    Args:
        max_bytes: frames x height x width x 3 bytes of all videos kept, at any time; >= 0.
        opener: what decodes.

    Raises:
        ValueError: a negative number of bytes.
    """

    def __init__(self, max_bytes: int, opener: Opener = open_video) -> None:
        if max_bytes < 0:
            raise ValueError(f"max_bytes of a cache must be >= 0, got {max_bytes}")
        self.max_bytes = max_bytes
        self._opener = opener
        self._videos: dict[tuple[str, str], DecodedVideo] = {}

    @property
    def nbytes(self) -> int:
        """Bytes of the frames that are kept."""
        return sum(video.nbytes for video in self._videos.values())

    @contextmanager
    def open(self, path: str, decoder: str = "auto") -> Iterator[FrameSource]:
        """As `open_video`, from memory from the second time on.

        Raises:
            VideoDecodeError: the file cannot be read.
        """
        key = (path, decoder)
        if key not in self._videos:
            with self._opener(path, decoder) as video:
                if not self._has_room(video.info):
                    yield video
                    return
                with suppress(VideoDecodeError):  # the frames that are asked for may be good
                    self._videos[key] = _decoded(video)
        if key in self._videos:
            yield self._videos[key]
            return
        # Anew: what decoded may have been stopped.
        with self._opener(path, decoder) as video:
            yield video

    def _has_room(self, info: VideoInfo) -> bool:
        return self.nbytes + info.frames * info.height * info.width * 3 <= self.max_bytes


def _decoded(video: FrameSource) -> DecodedVideo:
    """All frames of a video, decoded a few at a time."""
    info = video.info
    frames = np.empty((info.frames, info.height, info.width, 3), np.uint8)
    step = max(CHUNK_BYTES // (info.height * info.width * 3), 1)
    for first in range(0, info.frames, step):
        video.frames(np.arange(first, min(first + step, info.frames)), out=frames[first : first + step])
    return DecodedVideo(info, frames)
