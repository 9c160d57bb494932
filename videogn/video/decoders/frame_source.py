"""The interface of an open video: decoded in this process, decoded in another one, or kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoInfo


class FrameSource(Protocol):
    """An open video.

    Attributes:
        info: Number of frames, rate and size.
    """

    info: VideoInfo

    def frames(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Return frames, or the same rectangle of each.

        Args:
            indices: Frame indices, integers (N,) in [0, info.frames), strictly increasing. Successive calls with
                increasing indices decode nothing twice.
            window: Rectangle of the frame. Default: the whole frame.
            out: uint8 (N, h, w, 3) to write to.

        Returns:
            `out`, or else uint8 (N, h, w, 3) that the next call may overwrite.
        """

    def times(self) -> np.ndarray:
        """Return when each frame is displayed: seconds from the first frame, float64 (info.frames,), increasing.

        They are the file's time stamps, or index / fps where it has none that tell frames apart.
        """


#: Bytes of frames decoded at a time. The allocator keeps blocks up to about 32 MiB for the next call. Larger ones
#: return to the system, and getting them again costs as much as decoding: 230 frames of 720p take 0.8 s in parts of
#: 16 MiB, and 1.6 s at once.
CHUNK_BYTES = 16 * 2**20

#: (path, decoder) -> context manager that yields the open video: `open_video`, `VideoGuard(...).open` or
#: `FrameCache(...).open`.
Opener = Callable[[str, str], AbstractContextManager[FrameSource]]
