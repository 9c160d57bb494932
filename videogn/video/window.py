"""Resizing of frames, restricted to the part that is cut out of them afterwards.

A crop of the resized picture depends on a part of the native one: the pixels below it, and those around it that the
filter reaches. Resizing that part alone gives the crop itself if the part begins on the grid of the resized picture.
Per axis, for n native and N resized pixels, resized pixel j begins at j * n / N. The window begins at the last such
place before the crop that is a whole number of native pixels, to 1/128. If there is none, it begins at the edge of the
picture, which is one exactly. Here n = 10, N = 4, the crop has two pixels, and the antialiasing filter reaches 2.5
native pixels from a centre (without antialiasing, as in enlarging, it would reach 1):

    native    |0 1 2 3 4 5 6 7 8 9|
    resized   |0    1    2    3   |       begin at 0, 2.5, 5, 7.5
    crop                |^^^^^^^^^|       2 and 3: the window begins at 0, since 2.5 is no native pixel
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from videogn.axes import Crop

#: A window begins within 1 / _PIXEL_PARTS of a native pixel of the grid of the resized picture.
_PIXEL_PARTS = 128


def resized_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Return the size of a picture whose shorter side is resized to `short_side`; the longer side is rounded.

    Args:
        height: Height of the picture in pixels.
        width: Width of the picture in pixels.
        short_side: Shorter side of the resized picture in pixels.

    Returns:
        Height and width, both at least `short_side`.
    """
    scale = short_side / min(height, width)
    return max(round(height * scale), short_side), max(round(width * scale), short_side)


class Resizing:
    """Resizes frames bilinearly, by default antialiased, and returns a region of the result.

    The result equals that region of the whole resized picture, to within the tolerance of the window (see above): at
    most 1/128 of a native pixel, which is at most 4 of 256 levels in white noise, and exactly if the window begins at
    the edges.

    Args:
        native: Height and width of the frames in pixels.
        resized: Height and width after resizing in pixels.
        region: Rectangle of the resized frames to return; its `flip` is ignored. Default: the whole frame.
        antialias: Whether all native pixels count where frames shrink, rather than the two nearest along each axis.
            Default: True.

    Attributes:
        window: Rectangle of the native frames that is needed.
        region: Rectangle that is returned, in pixels of the resized frames.
        changes_nothing: Whether the size stays the same, so that the window is the region.
    """

    def __init__(
        self, native: tuple[int, int], resized: tuple[int, int], region: Crop | None = None, *, antialias: bool = True
    ) -> None:
        self.region = Crop(0, 0, *resized) if region is None else region
        rows = _span(native[0], resized[0], self.region.top, self.region.height, antialias=antialias)
        columns = _span(native[1], resized[1], self.region.left, self.region.width, antialias=antialias)
        self.window = Crop(rows.first, columns.first, rows.stop - rows.first, columns.stop - columns.first)
        self._skipped = (rows.skipped, columns.skipped)
        self._made = [rows.made, columns.made]
        self._scales = (resized[0] / native[0], resized[1] / native[1])
        self._antialias = antialias
        self.changes_nothing = native == resized

    def __call__(self, frames: Tensor) -> Tensor:
        """Resize the window of some frames.

        Args:
            frames: The `window` of each frame, uint8 (N, h, w, 3).

        Returns:
            The `region` of each frame, uint8 (N, H, W, 3); a view of `frames` if their size stays the same.
        """
        if self.changes_nothing:
            return frames
        # The permuted view is channels-last, which torch resizes as uint8 without a copy. F.interpolate calls these
        # operators, but takes either a size or the scales; here the scales are those of the whole picture.
        aten = torch.ops.aten
        resize = aten._upsample_bilinear2d_aa if self._antialias else aten.upsample_bilinear2d
        resized = frames.permute(0, 3, 1, 2)  # (N, 3, h, w)
        down, across = self._scales
        if down < 1:
            # torch would resize along the rows first, which is slower and would process more rows.
            resized, down = resize(resized, [self._made[0], self.window.width], False, down, 1.0), 1.0
        resized = resize(resized, self._made, False, down, across)
        above, before = self._skipped
        return self.region._replace(top=above, left=before).cut(resized.permute(0, 2, 3, 1))


def resize_short_side(frames: Tensor, short_side: int) -> Tensor:
    """Resize frames so that their shorter side has `short_side` pixels, bilinear and antialiased, staying uint8.

    Args:
        frames: uint8 (N, H, W, 3).
        short_side: Shorter side of the result in pixels; the longer side is rounded.

    Returns:
        uint8 (N, H', W', 3), contiguous.
    """
    height, width = frames.shape[1:3]
    return Resizing((height, width), resized_size(height, width, short_side))(frames).contiguous()


class _Span(NamedTuple):
    """Along one axis: native pixels [first, stop) give `made` resized ones, and the first `skipped` are dropped."""

    first: int
    stop: int
    skipped: int
    made: int


def _span(native: int, resized: int, first: int, length: int, *, antialias: bool) -> _Span:
    """The native pixels that resized pixels [first, first + length) depend on."""
    if native == resized:
        return _Span(first, first + length, 0, length)
    # How far the filter reaches from the centre of a resized pixel, in native pixels.
    reach = max(native / resized, 1.0) if antialias else 1.0
    nearest = math.ceil(reach * resized / native - 0.5)  # resized pixels that the filter reaches back
    skipped = next((number for number in range(nearest, first) if _on_grid(native, resized, first - number)), first)
    start = round((first - skipped) * native / resized)
    last_centre = (first + length - 0.5) * native / resized
    stop = min(math.ceil(last_centre + reach) + 1, native)
    made = skipped + length
    # torch does not resize an axis with as many pixels before as after, for any scale.
    return _Span(start, stop, skipped, made + 1 if made == stop - start else made)


def _on_grid(native: int, resized: int, number: int) -> bool:
    """Whether resized pixel `number` begins where a native pixel does, to 1/128 of it."""
    beyond = number * native % resized  # in parts of 1/resized of a native pixel
    return min(beyond, resized - beyond) * _PIXEL_PARTS <= resized
