"""What frames can be taken from: an open file, one that another process decodes, one kept in memory."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoInfo


class FrameSource(Protocol):
    """A video of which frames can be had.

    Attributes:
        info: its size, rate and number of frames.
    """

    info: VideoInfo

    def frames(self, indices: np.ndarray, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Give some frames, or the same part of each.

        Args:
            indices: integers (N,) in [0, info.frames), strictly increasing, and above those of the call before where
                nothing is to be decoded twice.
            window: the rectangle of the frame that is wanted; all of it by default.
            out: uint8 (N, h, w, 3) to write to.

        Returns:
            `out`; or, without one, uint8 (N, h, w, 3), valid until the next call only: copy what is kept.
        """


#: So many bytes of frames are decoded at a time. Memory up to about 32 MiB is used again by the next call, where
#: larger arrays are given back to the system and cost as much to get anew as decoding does: 230 frames of 720p take
#: 0.8 s in parts of 16 MiB and 1.6 s at once.
CHUNK_BYTES = 16 * 2**20

#: (path, decoder) -> context manager of the video: `open_video`, `VideoGuard(...).open`, `FrameCache(...).open`.
Opener = Callable[[str, str], AbstractContextManager[FrameSource]]
