"""The interface of an open video: decoded in this process, decoded in another one, or kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.decoders.pixel_aspect import stretched


class FrameSource(Protocol):
    """An open video.

    Attributes:
        info: Number of frames, rate and size.
        fallback: Reason why PyAV took the place of the decoder that was asked for, or None. It may do so when the first
            frames are read.
    """

    info: VideoInfo
    fallback: str | None = None

    def pixels(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return frames as stored, or the same rectangle of each. They are not stretched to displayed proportions.

        Args:
            indices: Frame indices, integers (N,) in [0, info.frames), strictly increasing. Successive calls with
                increasing indices decode nothing twice.
            window: Rectangle of the upright picture of `info.stored_size`; its `flip` is ignored. Default: all of it.
            out: uint8 (N, h, w, 3) to write to.

        Returns:
            `out`, or else uint8 (N, h, w, 3) that the next call may overwrite.
        """

    def frames(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return frames in displayed proportions, or the same rectangle of each.

        Args:
            indices: As for `pixels`.
            window: Rectangle of the displayed picture; its `flip` is ignored. Default: the whole picture.
            out: uint8 (N, h, w, 3) to write to.

        Returns:
            `out`, or else uint8 (N, h, w, 3) that the next call may overwrite.

        Raises:
            ValueError: If the window exceeds the picture.
        """
        info = self.info
        if info.stored is None:
            return self.pixels(indices, window, out)
        window = check_window(window, info.height, info.width)
        frames = window.cut(stretched(self.pixels(indices), info.height, info.width))
        if out is None:
            return frames
        np.copyto(out, frames)
        return out

    def times(self) -> np.ndarray:
        """Return when each frame is displayed: seconds from the first frame, float64 (info.frames,), increasing.

        They are the file's time stamps, or index / fps where it has none that tell frames apart.
        """

    def intact(self) -> np.ndarray:
        """Return the indices of the frames that decode without damage, int64, increasing: all unless a file is broken.

        Of a file all frames are decoded to learn this.
        """
        return np.arange(self.info.frames, dtype=np.int64)


def check_window(window: Crop | None, height: int, width: int) -> Crop:
    """Check that a window lies within a picture.

    Args:
        window: Rectangle of the picture, or None for the whole picture.
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.

    Returns:
        The window.

    Raises:
        ValueError: If the window is empty or exceeds the picture.
    """
    if window is None:
        return Crop(0, 0, height, width)
    if not (
        0 <= window.top < window.top + window.height <= height
        and 0 <= window.left < window.left + window.width <= width
    ):
        raise ValueError(f"the window must lie in the picture of {height} x {width}, got {window}")
    return window


#: Bytes of frames decoded at a time. What is resized next is still in the processor's cache: 60 frames of 720p take
#: 0.39 s in parts of 6 MiB, and 0.47 s in parts of 16 MiB. Blocks above about 32 MiB return to the system, and getting
#: them again costs as much as decoding.
CHUNK_BYTES = 6 * 2**20

#: (path, decoder) -> context manager that yields the open video: `open_video`, `VideoGuard(...).open` or
#: `FrameCache(...).open`.
Opener = Callable[[str, str], AbstractContextManager[FrameSource]]
