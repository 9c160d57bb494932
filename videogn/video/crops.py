"""Which part of the frame a view shows: pure integer arithmetic, like clips.py for time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from videogn.axes import Crop
from videogn.checks import check_choice


def random_crop(height: int, width: int, size: int, *, flip: float, rng: np.random.Generator) -> tuple[Crop, ...]:
    """One square at a random place, mirrored with probability `flip`: the training crop.

    Args:
        height: of the frame, pixels.
        width: of the frame, pixels.
        size: side of the square, pixels.
        flip: probability of mirroring, in [0, 1]. Use 0 where left and right are different classes.
        rng: source of the place and the mirroring.

    Returns:
        One crop.

    Raises:
        ValueError: the square does not fit, or `flip` is no probability.
    """
    if not 0 <= flip <= 1:
        raise ValueError(f"flip is a probability and must be in [0, 1], got {flip}")
    _check(height, width, size)
    top = int(rng.integers(0, height - size, endpoint=True))
    left = int(rng.integers(0, width - size, endpoint=True))
    return (Crop(top, left, size, size, bool(rng.random() < flip)),)


def _full(height: int, width: int, size: int) -> tuple[Crop, ...]:
    return (Crop(0, 0, height, width),)


def _center(height: int, width: int, size: int) -> tuple[Crop, ...]:
    _check(height, width, size)
    return (Crop((height - size) // 2, (width - size) // 2, size, size),)


def _three_crop(height: int, width: int, size: int) -> tuple[Crop, ...]:
    # Squares of the short side, spread evenly over the long one.
    side = min(height, width)
    return tuple(Crop((height - side) * k // 2, (width - side) * k // 2, side, side) for k in range(3))


#: Spatial test protocols: (height, width, crop size) -> crops.
CROPS: dict[str, Callable[[int, int, int], tuple[Crop, ...]]] = {
    "full": _full,
    "center": _center,
    "three_crop": _three_crop,
}


def evaluation_crops(height: int, width: int, size: int, *, protocol: str) -> tuple[Crop, ...]:
    """The crops of a test clip.

    Protocols: `full`, the whole frame, for a fully convolutional network (Wang et al. 2018, section 4); `three_crop`,
    three squares of the short side at left, centre and right, or top to bottom (the released code); `center`, one
    square of `size` in the middle.

    Args:
        height: of the frame, pixels.
        width: of the frame, pixels.
        size: side of the `center` square, pixels.
        protocol: a key of CROPS.

    Returns:
        The crops, all of one size.

    Raises:
        ValueError: an unknown protocol, or a square that does not fit.
    """
    check_choice("crops", protocol, CROPS)
    return CROPS[protocol](height, width, size)


def _check(height: int, width: int, size: int) -> None:
    if size > min(height, width):
        raise ValueError(f"crop size must be <= the frame's shorter side, got {size} for {height} x {width}")
