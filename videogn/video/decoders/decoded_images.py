"""Decoding of a whole folder of numbered images, for its check."""

from __future__ import annotations

import math
import time

from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.image_reader import ImageReader
from videogn.video.errors import VideoDecodeError


class DecodedImages:
    """Result of decoding all images of a folder.

    Attributes:
        whole: Indices of the intact frames.
        problem: First problem met, or None.
        fails_at_end: Whether only the last packet failed: never, since an image depends on no other.
        unfinished: Whether the time was up before the last image.
    """

    fails_at_end = False

    def __init__(self, table: FrameTable, deadline: float = math.inf) -> None:
        self.whole: set[int] = set()
        self.problem: str | None = None
        self.unfinished = False
        reader = ImageReader(table)
        for index in range(table.info.frames):
            if time.monotonic() > deadline:
                self.unfinished = True
                return
            try:
                reader.picture(index)
            except VideoDecodeError as error:
                self.problem = self.problem or error.reason
            else:
                self.whole.add(index)
