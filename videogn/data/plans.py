"""Plans of the views that training, validation and testing take from a video."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from videogn.axes import Crop
from videogn.choices import EvaluationViews, NetworkInput
from videogn.video.clips import SLOWFAST_FPS, Indices, centre_clip, clip_indices, random_clip
from videogn.video.crops import ResizedCrop, evaluation_crops, random_crop
from videogn.video.window import resized_size

if TYPE_CHECKING:
    from videogn.data.multigrid import ClipShape


class Layout(NamedTuple):
    """How the views lie in the frames of a video.

    Attributes:
        part: Rectangle of the displayed frames that is cut out before it is resized.
        resized: Height and width that it is resized to.
        crops: Crops of the result.
    """

    part: Crop
    resized: tuple[int, int]
    crops: tuple[Crop, ...]


@dataclass(frozen=True)
class ViewPlan:
    """Functions that lay views over a video before any frame is decoded.

    Attributes:
        clips: (number of frames, rng, frames per second of the video) -> frame indices, int64 (number of clips, T). The
            frames are those of a timeline, see `videogn.video.timeline`.
        layout: (height, width, rng) -> how the views lie in frames of this size.
        fps: Frames per second of the timeline that clips are laid over. Default: every frame of the video.
        antialias: Whether frames are antialiased when they shrink. Default: True.
    """

    clips: Callable[[int, np.random.Generator, float], Indices]
    layout: Callable[[int, int, np.random.Generator], Layout]
    fps: float | None = None
    antialias: bool = True


def training_plan(
    view: NetworkInput,
    *,
    short_sides: tuple[int, int],
    flip: float,
    resized_crop: ResizedCrop | None = None,
    shape: ClipShape | None = None,
) -> ViewPlan:
    """Plan one random clip, resized, cropped and mirrored at random.

    Args:
        view: Clip and crop size.
        short_sides: Smallest and largest shorter side of the resized frames, in pixels. The side is uniform between
            them.
        flip: Probability of mirroring a clip.
        resized_crop: Random resized crop in place of the random shorter side and square. Default: None.
        shape: Shape of the clip in multigrid training, in place of that of `view`. The smallest short side shrinks with
            the crop, so that a crop may show as much of the frame as one of `view` does. Default: that of `view`.

    Returns:
        The plan.

    Raises:
        ValueError: If a number is out of range.
    """
    smallest, largest = short_sides
    if not 0 < smallest <= largest:
        raise ValueError(f"train_short_sides must be smallest, largest with 0 < smallest <= largest, got {short_sides}")
    size = view.crop_size
    # A crop that does not fit fails here rather than at every video.
    side = smallest if resized_crop is None else size
    random_crop(side, side, size, flip=flip, rng=np.random.default_rng(0))
    clips = functools.partial(_random_clip, clip_length=view.clip_length, interval=view.interval)
    if shape is not None:
        clips = functools.partial(_clip_of_any_interval, clip_length=shape.clip_length, intervals=shape.intervals)
        short_sides = max(round(smallest * shape.crop_size / size), shape.crop_size), largest
        size = shape.crop_size
    layout = functools.partial(_jittered, short_sides=short_sides, size=size, flip=flip)
    if resized_crop is not None:
        layout = functools.partial(_random_part, draw=resized_crop, size=size, flip=flip)
    return ViewPlan(
        clips=clips,
        layout=layout,
        fps=view.fps,
        antialias=view.antialias,
    )


def centre_plan(view: NetworkInput) -> ViewPlan:
    """Plan the one clip in the middle of the video and of the frame.

    Args:
        view: Clip, short side and crop size.

    Returns:
        A deterministic plan.
    """
    return ViewPlan(
        clips=functools.partial(_centre_clip, clip_length=view.clip_length, interval=view.interval),
        layout=functools.partial(_fixed, short_side=view.short_side, size=view.crop_size, protocol="center"),
        fps=view.fps,
        antialias=view.antialias,
    )


def evaluation_plan(views: EvaluationViews) -> ViewPlan:
    """Plan the views of a test. `videogn test` and `videogn predict` share it.

    Args:
        views: Clips, short side and crops.

    Returns:
        A deterministic plan.

    Raises:
        ValueError: If the crop is larger than the short side.
    """
    evaluation_crops(
        views.short_side, views.short_side, views.crop_size, protocol=views.crops
    )  # fails before any video
    return ViewPlan(
        clips=functools.partial(
            _test_clips,
            clip_length=views.clip_length,
            interval=views.interval,
            num_clips=views.num_clips,
            protocol=views.protocol,
            own_rate=views.fps is None,
        ),
        layout=functools.partial(_fixed, short_side=views.short_side, size=views.crop_size, protocol=views.crops),
        fps=views.fps,
        antialias=views.antialias,
    )


def described(views: EvaluationViews) -> dict[str, Any]:
    """Describe the views of a test for its results."""
    return {
        "clips": views.num_clips,
        "starts": views.protocol,
        "crops": views.crops,
        "short_side": views.short_side,
        "clip_length": views.clip_length,
        "interval": views.interval,
        **({} if views.fps is None else {"fps": views.fps}),
        **({} if views.antialias else {"antialias": False}),
    }


def views_described(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `EvaluationViews` that `described` has written."""
    names = {"clips": "num_clips", "starts": "protocol"}
    return {names.get(name, name): value for name, value in description.items()}


# All functions of a plan take an rng. They are partials rather than lambdas, so that a data set can be pickled for
# loader processes.


def _random_clip(num_frames: int, rng: np.random.Generator, fps: float = SLOWFAST_FPS, **clip: int) -> Indices:
    return random_clip(num_frames, rng=rng, **clip)


def _clip_of_any_interval(
    num_frames: int,
    rng: np.random.Generator,
    fps: float = SLOWFAST_FPS,
    *,
    clip_length: int,
    intervals: tuple[int, int],
) -> Indices:
    interval = int(rng.integers(*intervals, endpoint=True))
    return random_clip(num_frames, clip_length=clip_length, interval=interval, rng=rng)


def _centre_clip(num_frames: int, rng: np.random.Generator, fps: float = SLOWFAST_FPS, **clip: int) -> Indices:
    return centre_clip(num_frames, **clip)


def _test_clips(
    num_frames: int, rng: np.random.Generator, fps: float = SLOWFAST_FPS, *, own_rate: bool, **clips: Any
) -> Indices:
    # At a rate that was asked for, clips of all videos last as long: slowfast need not stretch them.
    return clip_indices(num_frames, fps=fps if own_rate else SLOWFAST_FPS, **clips)


def _jittered(
    height: int, width: int, rng: np.random.Generator, *, short_sides: tuple[int, int], size: int, flip: float
) -> Layout:
    resized = resized_size(height, width, int(rng.integers(*short_sides, endpoint=True)))
    return Layout(Crop(0, 0, height, width), resized, random_crop(*resized, size, flip=flip, rng=rng))


def _random_part(
    height: int, width: int, rng: np.random.Generator, *, draw: ResizedCrop, size: int, flip: float
) -> Layout:
    return Layout(draw(height, width, rng), (size, size), random_crop(size, size, size, flip=flip, rng=rng))


def _fixed(height: int, width: int, rng: np.random.Generator, *, short_side: int, size: int, protocol: str) -> Layout:
    resized = resized_size(height, width, short_side)
    return Layout(Crop(0, 0, height, width), resized, evaluation_crops(*resized, size, protocol=protocol))
