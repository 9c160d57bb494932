"""Frames by index from a folder of numbered images; only those that are asked for are read."""

from __future__ import annotations

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.images import decode_image
from videogn.video.errors import VideoDecodeError


class ImageReader:
    """A `Reader` of a folder of images.

    Args:
        table: Frame table of the folder.
    """

    def __init__(self, table: FrameTable) -> None:
        self._table = table

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        for row, index in enumerate(indices.tolist()):
            try:
                out[row] = window.cut(self.picture(index))
            except VideoDecodeError as error:
                reason = f"frame {index} of {self._table.info.frames} cannot be decoded ({error.reason})"
                raise VideoDecodeError(self._table.path, reason) from error

    def picture(self, index: int) -> np.ndarray:
        """Return a frame, uint8 (H, W, 3).

        Raises:
            VideoDecodeError: If its image is missing, damaged, or of another size than the first.
        """
        images, info = self._table.images, self._table.info
        assert images is not None
        pixels = decode_image(images.image(index)).pixels
        height, width = pixels.shape[:2]
        if (height, width) != (info.height, info.width):
            sizes = f"{width}x{height}, the first image is {info.width}x{info.height}"
            raise VideoDecodeError(images.path, f"{images.names[index]} is {sizes}")
        return pixels

    def close(self) -> None:
        """See `Reader`."""
