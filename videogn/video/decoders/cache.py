"""Decoded videos kept in memory: for small data sets of small videos, where decoding costs more than training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import numpy as np

from videogn.axes import Crop
from videogn.checks import require_at_least
from videogn.system.sizes import parse_size
from videogn.video.decoders.decode import open_video
from videogn.video.decoders.frame_source import CHUNK_BYTES, FrameSource, Opener
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.errors import VideoDecodeError


class DecodedVideo(FrameSource):
    """A video whose frames are all in memory; see `FrameSource`.

    Args:
        info: Number of frames, rate and size.
        pixels: All frames as stored, uint8 (N, h, w, 3).
        times: When each frame is displayed, in seconds from the first one, float64 (N,).
        fallback: See `FrameSource`.
    """

    def __init__(self, info: VideoInfo, pixels: np.ndarray, times: np.ndarray, fallback: str | None) -> None:
        self.info = info
        self.fallback = fallback
        self._pixels = pixels
        self._times = times

    @property
    def nbytes(self) -> int:
        """Size of the frames in bytes."""
        return self._pixels.nbytes

    def pixels(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """See `FrameSource.pixels`. The result is a copy."""
        return np.take(self._pixels if window is None else window.cut(self._pixels), indices, axis=0, out=out)

    def times(self) -> np.ndarray:
        """See `FrameSource.times`."""
        return self._times


class FrameCache:
    """Keeps whole videos at the size in which they are stored, up to a number of bytes. A video once kept stays.

    A video that does not fit beside the others, or has a frame that cannot be decoded, is decoded every time. Evicting
    the least recently used video would be worse when epochs are shuffled: with room for half of the data set it finds
    15 % of the videos instead of 50 %. Not thread-safe; every loader process has its own cache.

    Args:
        max_bytes: Limit for frames x height x width x 3 bytes, summed over all videos kept; >= 0.
        opener: Function that opens a video for decoding. Default: `open_video`.

    Attributes:
        nbytes: Size of all frames kept, in bytes.

    Raises:
        ValueError: If `max_bytes` is negative.
    """

    def __init__(self, max_bytes: int, opener: Opener = open_video) -> None:
        require_at_least("max_bytes of a cache", max_bytes, 0)
        self.max_bytes = max_bytes
        self._opener = opener
        self._videos: dict[tuple[str, str], DecodedVideo] = {}
        self.nbytes = 0  # added up here: a data set may have a million images

    @contextmanager
    def open(self, path: str, decoder: str = "auto") -> Iterator[FrameSource]:
        """Open a video as `open_video` does; from the second time on its frames come from memory.

        Args:
            path: File, member of a tar shard, or URL of either.
            decoder: One of `DECODERS`. Default: "auto".

        Yields:
            The open video.

        Raises:
            VideoDecodeError: If the file cannot be read.
        """
        key = (path, decoder)
        if key not in self._videos:
            with self._opener(path, decoder) as video:
                if not self._has_room(video.info):
                    yield video
                    return
                with suppress(VideoDecodeError):  # the frames that are asked for may be intact
                    self._videos[key] = _decoded(video)
                    self.nbytes += self._videos[key].nbytes
        if key in self._videos:
            yield self._videos[key]
            return
        # Opened again, because the failure may have stopped the decoder.
        with self._opener(path, decoder) as video:
            yield video

    def _has_room(self, info: VideoInfo) -> bool:
        height, width = info.stored_size
        return self.nbytes + info.frames * height * width * 3 <= self.max_bytes


def _decoded(video: FrameSource) -> DecodedVideo:
    """All frames of a video, decoded a few at a time."""
    info = video.info
    height, width = info.stored_size
    pixels = np.empty((info.frames, height, width, 3), np.uint8)
    step = max(CHUNK_BYTES // (height * width * 3), 1)
    for first in range(0, info.frames, step):
        video.pixels(np.arange(first, min(first + step, info.frames)), out=pixels[first : first + step])
    return DecodedVideo(info, pixels, video.times(), video.fallback)


def cache_size(size: str | int | bool) -> int:
    """Parse the size of a cache in bytes; false is YAML's value of "off" and "no"."""
    try:
        return parse_size(0 if str(size).lower() == "false" else size)
    except ValueError:
        raise ValueError(f"cache must be a size such as 2GiB or 500MB, or 0 for none, got {size!r}") from None
