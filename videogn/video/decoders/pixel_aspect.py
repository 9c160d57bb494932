"""Pixels that are not square: the displayed size, and pictures in displayed proportions.

Files state the sample aspect ratio (SAR), the width of a pixel divided by its height. DV and DVDs have 16:15 or 64:45,
HDV 4:3, and many copies of Kinetics, squeezed to 340 x 256 whatever their shape, 64:51.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

#: A pixel that is wider or higher than this is an error of the file: H.264 names ratios up to 32:11.
_MOST = 4
#: A ratio nearer to 1 only says that the encoder rounded the size of the picture to whole pixels.
_LEAST = Fraction(1, 100)


def displayed_width(width: int, ratio: Fraction | None) -> int:
    """Compute the width at which a coded picture is displayed; its height stays.

    Args:
        width: Coded width in pixels.
        ratio: Sample aspect ratio: the container's, or if it has none the codec's; None if it is unknown. A ratio below
            1/4 or above 4 is not believed, and one within 1 % of 1 is taken for 1.

    Returns:
        Width x ratio, rounded, in square pixels.
    """
    if not ratio or not 1 <= max(ratio, 1 / ratio) <= _MOST or abs(ratio - 1) < _LEAST:
        return width
    return max(round(width * ratio), 1)


def stretched(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize pictures to their displayed size, with the filter of `videogn.video.window.Resizing`.

    Args:
        pixels: Pictures as stored, uint8 (N, h, w, 3).
        height: Displayed height in pixels.
        width: Displayed width in pixels.

    Returns:
        uint8 (N, height, width, 3), contiguous.
    """
    import torch  # few files need it, and loading takes a second

    planes = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    shown = torch.nn.functional.interpolate(planes, (height, width), mode="bilinear", antialias=True)
    return shown.permute(0, 2, 3, 1).contiguous().numpy()
