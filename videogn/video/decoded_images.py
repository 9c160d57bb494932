"""Decoding of a whole folder of numbered images, for its check."""

from __future__ import annotations

from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.image_reader import ImageReader
from videogn.video.errors import VideoDecodeError


class DecodedImages:
    """Result of decoding all images of a folder.

    Attributes:
        whole: Indices of the intact frames.
        problem: First problem met, or None.
        fails_at_end: Whether only the last packet failed: never, since an image depends on no other.
    """

    fails_at_end = False

    def __init__(self, table: FrameTable) -> None:
        self.whole: set[int] = set()
        self.problem: str | None = None
        reader = ImageReader(table)
        for index in range(table.info.frames):
            try:
                reader.picture(index)
            except VideoDecodeError as error:
                self.problem = self.problem or error.reason
            else:
                self.whole.add(index)
