"""Drawn textures, as pure functions of a random generator: a data set of images that needs no network.

Eight classes: fine and coarse stripes of four directions, as band-limited noise, so that no two images are alike. How
strong texture and noise are differs widely between images, as in the motion set, so that the statistics of a few images
say little about those of the next few: what BatchNorm is about when batches are small.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Height and width in pixels.
SIZE = 32
_DIRECTIONS = {"level": 0.0, "rising": 45.0, "upright": 90.0, "falling": 135.0}  # of the stripes, in degrees
_WAVELENGTHS = {"fine": (3.0, 4.5), "coarse": (5.5, 8.0)}  # pixels
#: Class name -> (direction of the stripes in degrees, shortest and longest wavelength in pixels).
TEXTURES = {
    f"{width} {direction}": (angle, wavelengths)
    for width, wavelengths in _WAVELENGTHS.items()
    for direction, angle in _DIRECTIONS.items()
}
_SPREAD = 20.0  # how far waves may lie off the direction, in degrees
_CONTRASTS = (7.0, 40.0)  # standard deviation of the texture, grey levels; its logarithm is uniform
_NOISES = (2.0, 60.0)  # standard deviation of the noise of every pixel, grey levels
_BRIGHTNESSES = (100.0, 130.0)  # grey levels


def draw_texture(name: str, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw one image.

    Args:
        name: Key of `TEXTURES`.
        rng: Random generator for all randomness of the image.

    Returns:
        Grey picture, uint8 (SIZE, SIZE).
    """
    angle, (shortest, longest) = TEXTURES[name]
    down, across = np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE), indexing="ij")  # cycles a pixel
    frequency = np.hypot(down, across)
    # Stripes run at right angles to their waves; rows count downwards.
    off = (np.degrees(np.arctan2(down, across)) + 90.0 + angle + 90.0) % 180.0 - 90.0
    kept = (frequency >= 1 / longest) & (frequency <= 1 / shortest) & (np.abs(off) <= _SPREAD)
    texture = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIZE, SIZE))) * kept).real
    contrast = np.exp(rng.uniform(*np.log(_CONTRASTS)))
    noise = rng.uniform(*_NOISES) * rng.standard_normal((SIZE, SIZE))
    picture = rng.uniform(*_BRIGHTNESSES) + contrast * texture / texture.std() + noise
    return np.clip(picture, 0, 255).round().astype(np.uint8)
