"""Which views are taken from a video, for training, validation and testing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from videogn.axes import Crop
from videogn.video.clips import Indices, centre_clip, clip_indices, random_clip
from videogn.video.crops import evaluation_crops, random_crop


@dataclass(frozen=True)
class ViewPlan:
    """How views are taken from a video: all of it is known before a frame is decoded.

    Attributes:
        clips: (frames in the video, rng) -> int64 (number of clips, T), frame indices.
        short_side: rng -> pixels that the shorter side is resized to.
        crops: (height, width, rng) -> what is cut out of resized frames of this size; nothing else is resized.
    """

    clips: Callable[[int, np.random.Generator], Indices]
    short_side: Callable[[np.random.Generator], int]
    crops: Callable[[int, int, np.random.Generator], tuple[Crop, ...]]


def training_plan(
    *, clip_length: int, interval: int, short_sides: tuple[int, int], crop_size: int, flip: float
) -> ViewPlan:
    """One random clip, resized at random, cropped at random, mirrored or not.

    Args:
        clip_length: T, frames in a clip.
        interval: frames from one frame of a clip to the next.
        short_sides: smallest and largest shorter side of the resized frames, pixels.
        crop_size: side of the square crop, pixels.
        flip: probability of mirroring.

    Returns:
        The plan.

    Raises:
        ValueError: a number out of range.
    """
    # Asked once here, so that what is wrong shows before the first video.
    rng = np.random.default_rng(0)
    random_clip(1, clip_length=clip_length, interval=interval, rng=rng)
    random_crop(short_sides[0], short_sides[0], crop_size, flip=flip, rng=rng)
    return ViewPlan(
        clips=functools.partial(_random_clip, clip_length=clip_length, interval=interval),
        short_side=functools.partial(_uniform_integer, *short_sides),
        crops=functools.partial(_random_crop, size=crop_size, flip=flip),
    )


def centre_plan(*, clip_length: int, interval: int, short_side: int, crop_size: int) -> ViewPlan:
    """The one clip in the middle of the video and of the frame.

    Args:
        clip_length: T, frames in a clip.
        interval: frames from one frame of a clip to the next.
        short_side: shorter side of the resized frames, pixels.
        crop_size: side of the square crop, pixels.

    Returns:
        A plan without anything random in it.
    """
    return ViewPlan(
        clips=functools.partial(_centre_clip, clip_length=clip_length, interval=interval),
        short_side=functools.partial(_uniform_integer, short_side, short_side),
        crops=functools.partial(_evaluation_crops, size=crop_size, protocol="center"),
    )


def evaluation_plan(
    *, clip_length: int, interval: int, num_clips: int, protocol: str, short_side: int, crop_size: int, crops: str
) -> ViewPlan:
    """The views of a test: the same for `videogn test` and `videogn predict`.

    Args:
        clip_length: T, frames in a clip.
        interval: frames from one frame of a clip to the next.
        num_clips: clips per video.
        protocol: where they start.
        short_side: shorter side of the resized frames, pixels.
        crop_size: side of the `center` crop, pixels.
        crops: what of the frame is seen.

    Returns:
        A plan without anything random in it.

    Raises:
        ValueError: an unknown protocol, or numbers that are not positive.
    """
    # Asked once here, so that what is wrong shows before the first video.
    clip_indices(1, clip_length=clip_length, interval=interval, num_clips=num_clips, protocol=protocol)
    evaluation_crops(short_side, short_side, crop_size, protocol=crops)
    return ViewPlan(
        clips=functools.partial(
            _test_clips, clip_length=clip_length, interval=interval, num_clips=num_clips, protocol=protocol
        ),
        short_side=functools.partial(_uniform_integer, short_side, short_side),
        crops=functools.partial(_evaluation_crops, size=crop_size, protocol=crops),
    )


# The functions of a plan take an rng whether they need one or not, and are partials rather than lambdas, so that a data
# set can be sent to loader processes.


def _random_clip(num_frames: int, rng: np.random.Generator, **clip: int) -> Indices:
    return random_clip(num_frames, rng=rng, **clip)


def _centre_clip(num_frames: int, rng: np.random.Generator, **clip: int) -> Indices:
    return centre_clip(num_frames, **clip)


def _test_clips(num_frames: int, rng: np.random.Generator, **clips: Any) -> Indices:
    return clip_indices(num_frames, **clips)


def _uniform_integer(smallest: int, largest: int, rng: np.random.Generator) -> int:
    return int(rng.integers(smallest, largest, endpoint=True))


def _random_crop(height: int, width: int, rng: np.random.Generator, *, size: int, flip: float) -> tuple[Crop, ...]:
    return random_crop(height, width, size, flip=flip, rng=rng)


def _evaluation_crops(
    height: int, width: int, rng: np.random.Generator, *, size: int, protocol: str
) -> tuple[Crop, ...]:
    return evaluation_crops(height, width, size, protocol=protocol)
