"""Evidence as colour over a picture."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image

#: Where the evidence is strongest, this part of the picture is colour. The colours' brightness grows with it.
_OPAQUE = 0.75
#: Evidence is shown in this many cells along the shorter side, with smooth transitions: it is no sharper, since it is
#: averaged over squares.
_CELLS = 14
_COLOURS = (np.asarray(colormaps["inferno"](np.linspace(0.25, 1, 256)))[:, :3] * 255).astype(np.float32)


def heated(picture: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour a picture where there is evidence.

    Args:
        picture: RGB picture, uint8 (H, W, 3).
        heat: Evidence, float32 (h, w), from 0, which leaves the picture as it is, to 1; enlarged to the picture.

    Returns:
        uint8 (H, W, 3), a new array.
    """
    height, width = picture.shape[:2]
    image = Image.fromarray(heat)
    if (larger := min(heat.shape) / _CELLS) > 1:
        cells = (round(heat.shape[1] / larger), round(heat.shape[0] / larger))
        image = image.resize(cells, Image.Resampling.BOX)
    fine = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR)).clip(0, 1)
    colour = _COLOURS[(fine * 255).astype(np.uint8)]
    return (picture + (colour - picture) * (fine[..., None] * _OPAQUE)).round().astype(np.uint8)
