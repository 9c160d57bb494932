"""Crops of frames: pure integer arithmetic, as clips.py is for time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from videogn.axes import Crop
from videogn.checks import check_choice


def random_crop(height: int, width: int, size: int, *, flip: float, rng: np.random.Generator) -> tuple[Crop, ...]:
    """Draw the training crop: one square at a random place, mirrored with probability `flip`.

    Args:
        height: Height of the frame in pixels.
        width: Width of the frame in pixels.
        size: Side of the square in pixels.
        flip: Probability of mirroring, in [0, 1]. Use 0 if left and right are different classes.
        rng: Random generator of place and mirroring.

    Returns:
        One crop.

    Raises:
        ValueError: If the square does not fit, or `flip` is not a probability.
    """
    if not 0 <= flip <= 1:
        raise ValueError(f"flip is a probability and must be in [0, 1], got {flip}")
    _check(height, width, size)
    top = int(rng.integers(0, height - size, endpoint=True))
    left = int(rng.integers(0, width - size, endpoint=True))
    return (Crop(top, left, size, size, bool(rng.random() < flip)),)


@dataclass(frozen=True)
class ResizedCrop:
    """Draws the part of a frame that is resized to a square: one of random area and aspect ratio at a random place.

    As torchvision's RandomResizedCrop (Szegedy et al. 2015, arXiv 1409.4842, section 6): ten draws of an area and of an
    aspect ratio; where none of the rectangles fits into the frame, the largest one of the nearest allowed ratio in its
    middle.

    Args:
        area: Smallest and largest area, as a share of the frame's; uniform between them.
        ratio: Smallest and largest ratio of width to height; its logarithm is uniform between them.

    Raises:
        ValueError: If a range is empty, not above 0, or an area above 1.
    """

    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1:
            raise ValueError(
                f"random_resized_crop must be smallest, largest share of the frame's area with "
                f"0 < smallest <= largest <= 1, got {tuple(self.area)}"
            )
        if not 0 < self.ratio[0] <= self.ratio[1]:
            raise ValueError(
                f"random_resized_crop_ratio must be smallest, largest ratio of width to height with "
                f"0 < smallest <= largest, got {tuple(self.ratio)}"
            )

    def __call__(self, height: int, width: int, rng: np.random.Generator) -> Crop:
        """Draw the part of a frame.

        Args:
            height: Height of the frame in pixels.
            width: Width of the frame in pixels.
            rng: Random generator.

        Returns:
            Rectangle of the frame.
        """
        narrowest, widest = self.ratio
        for _ in range(10):
            area = height * width * rng.uniform(*self.area)
            ratio = math.exp(rng.uniform(math.log(narrowest), math.log(widest)))
            down, across = round(math.sqrt(area / ratio)), round(math.sqrt(area * ratio))
            if 0 < down <= height and 0 < across <= width:
                top = int(rng.integers(0, height - down, endpoint=True))
                left = int(rng.integers(0, width - across, endpoint=True))
                return Crop(top, left, down, across)
        down, across = min(height, round(width / narrowest)), min(width, round(height * widest))
        down, across = max(down, 1), max(across, 1)
        return Crop((height - down) // 2, (width - across) // 2, down, across)


def resized_crop(area: tuple[float, float] | None, ratio: tuple[float, float] | None) -> ResizedCrop | None:
    """Make the random resized crop of some options; None where no area is given.

    Raises:
        ValueError: A range is wrong, or there is a ratio without an area.
    """
    if area is None and ratio is not None:
        raise ValueError("random_resized_crop_ratio needs random_resized_crop, for instance [0.08,1]")
    return area and ResizedCrop(area, ratio or ResizedCrop.ratio)


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
    """Return the crops of a test clip.

    Protocols: `full`, the whole frame, for a fully convolutional network (Wang et al. 2018, section 4); `three_crop`,
    three squares of the short side at left, centre and right, or top to bottom (their released code); `center`, one
    square of `size` in the middle.

    Args:
        height: Height of the frame in pixels.
        width: Width of the frame in pixels.
        size: Side of the `center` square in pixels.
        protocol: Spatial protocol, a key of `CROPS`.

    Returns:
        The crops, all of one size.

    Raises:
        ValueError: If the protocol is unknown, or a square does not fit.
    """
    check_choice("crops", protocol, CROPS)
    return CROPS[protocol](height, width, size)


def around(crops: Sequence[Crop]) -> Crop:
    """Return the smallest rectangle that contains all crops."""
    top, left = min(crop.top for crop in crops), min(crop.left for crop in crops)
    bottom = max(crop.top + crop.height for crop in crops)
    right = max(crop.left + crop.width for crop in crops)
    return Crop(top, left, bottom - top, right - left)


def _check(height: int, width: int, size: int) -> None:
    if size > min(height, width):
        raise ValueError(f"crop size must be <= the frame's shorter side, got {size} for {height} x {width}")
