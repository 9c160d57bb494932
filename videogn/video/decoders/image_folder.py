"""A folder of numbered images as a video: which frame is which file.

left/v0/img_00001.jpg, img_00002.jpg, ...      mmaction2 (from 1)
left/v0/000001.jpg, ...                        Something-Something
left/v0/v0-000001.jpg, ... or frame0.png, ...  Charades, AVA, FFmpeg and others, from any number on
"""

from __future__ import annotations

import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from videogn.video.errors import VideoDecodeError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")

_NUMBERED = re.compile(r"(?P<series>.*?)(?P<number>[0-9]+)(?P<suffix>\.jpe?g|\.png)", re.IGNORECASE)
#: Series of optical flow, which lie beside the frames that they were computed from.
_FLOW = re.compile(r"(flow[_-]?)?[xyuv][_-]?", re.IGNORECASE)


class _Series(NamedTuple):
    """What the names of a series of images share."""

    beginning: str
    suffix: str

    def __str__(self) -> str:
        return f"{self.beginning}*{self.suffix}"


@dataclass(frozen=True)
class ImageFolder:
    """The frames of a folder of numbered images.

    Attributes:
        path: Folder.
        frames: Number of frames, those counted whose image is missing.
        names: Frame index -> name of the image, for those that are there.
    """

    path: str
    frames: int
    names: Mapping[int, str]

    def image(self, index: int) -> str:
        """Return the path of a frame's image.

        Raises:
            VideoDecodeError: If the folder lacks it.
        """
        if index in self.names:
            return os.path.join(self.path, self.names[index])
        before, after = index, index
        while before not in self.names:
            before -= 1
        while after not in self.names:
            after += 1
        raise VideoDecodeError(self.path, f"no image between {self.names[before]} and {self.names[after]}")


def has_numbered_images(names: Iterable[str]) -> bool:
    """Return whether one of the names of a folder's files is that of a numbered image."""
    return any(_NUMBERED.fullmatch(name) for name in names if not name.startswith("."))


def read_image_folder(path: str | os.PathLike[str]) -> ImageFolder:
    """List the numbered images of a folder as frames. No image is opened.

    Frames are in the order of the numbers, which may begin anywhere and rise by any constant step. A number that is
    left out is a frame whose image is missing, so that the others keep their places in time.

    Args:
        path: Folder. Optical flow beside the frames (flow_x_00001.jpg, y_00001.jpg) is not read.

    Returns:
        The frames.

    Raises:
        VideoDecodeError: If there are no numbered images, several series of them, two with one number, or more numbers
            left out than images.
    """
    series: dict[_Series, list[tuple[int, str]]] = defaultdict(list)
    for name in os.listdir(path):
        if not name.startswith(".") and (match := _NUMBERED.fullmatch(name)):
            key = _Series(match["series"], match["suffix"].lower())
            series[key].append((int(match["number"]), name))
    if len(series) > 1:
        series = {key: images for key, images in series.items() if not _FLOW.fullmatch(key.beginning)}
    if not series:
        raise VideoDecodeError(path, "is a folder without numbered images, such as img_00001.jpg")
    if len(series) > 1:
        found = " and ".join(map(str, sorted(series)[:2]))
        raise VideoDecodeError(path, f"holds {len(series)} series of numbered images, {found}; keep only the frames")
    images = sorted(next(iter(series.values())))
    numbers = [number for number, _ in images]
    steps = np.diff(np.array(numbers, object))
    if not all(steps):
        place = int(np.argmin(steps != 0))
        raise VideoDecodeError(path, f"two images have the number {numbers[place]}: {_pair(images, place)}")
    step = math.gcd(*map(int, steps)) or 1
    frames = (numbers[-1] - numbers[0]) // step + 1
    if frames > 2 * len(images):
        largest = int(np.argmax(steps))
        raise VideoDecodeError(path, f"its images are not numbered one after another: {_pair(images, largest)}")
    return ImageFolder(str(path), frames, {(number - numbers[0]) // step: name for number, name in images})


def _pair(images: list[tuple[int, str]], place: int) -> str:
    return f"{images[place][1]}, then {images[place + 1][1]}"
