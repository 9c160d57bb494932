"""Description of the frames that the clips of a video take; for `videogn data explain`."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from videogn.axes import Crop
from videogn.data.plans import ViewPlan
from videogn.video.clips import Indices
from videogn.video.decoders.frame_table import VideoInfo


@dataclass(frozen=True)
class ExplainedClip:
    """Frames and crops of one clip.

    Attributes:
        indices: Frame indices in the video.
        beyond: Number of indices, at the end, that stand for frames past the end of the video.
        substitute: Kind of these: "wrapped" to the beginning, or "repeated" (the last frame); None if there are none.
        frame_size: Height and width of the frames that are cropped: resized before, or as they are.
        crops: Crops of these frames.
    """

    indices: tuple[int, ...]
    beyond: int
    substitute: str | None
    frame_size: tuple[int, int]
    crops: tuple[Crop, ...]

    def describe(self) -> str:
        """Return the frame indices in short form, such as "266, 268 ... 298 | wrapped 0, 2 ... 28"."""
        inside = len(self.indices) - self.beyond
        text = short_list(self.indices[:inside])
        return f"{text} | {self.substitute} {short_list(self.indices[inside:])}" if self.beyond else text


def explain_clips(
    info: VideoInfo, timeline: Indices, plan: ViewPlan, *, step: float, draws: int = 1, seed: int = 0
) -> list[ExplainedClip]:
    """Take the clips of a video as a data set does.

    Args:
        info: Facts of the video.
        timeline: Frames that the clips are laid over, see `videogn.video.timeline`.
        plan: Plan of the views.
        step: Distance between consecutive frames of a clip, in frames of the timeline, as in the plan.
        draws: Number of draws from the plan; more than 1 for a random plan. Default: 1.
        seed: Seed of the random generator. Default: 0.

    Returns:
        The clips, in order.
    """
    clips = []
    for draw in range(draws):
        rng = np.random.default_rng([seed, draw])
        places = plan.clips(len(timeline), rng, info.fps)  # (V, T)
        part, size, crops = plan.layout(info.height, info.width, rng)
        if (part.height, part.width) != (whole := (info.height, info.width)):  # and all of it is shown
            size, crops = whole, tuple(part._replace(flip=crop.flip) for crop in crops)
        clips += [_explain(clip, timeline, step, size, crops) for clip in places]
    return clips


def _explain(
    clip: Indices, timeline: Indices, step: float, size: tuple[int, int], crops: tuple[Crop, ...]
) -> ExplainedClip:
    unbounded = clip[0] + step * np.arange(len(clip))
    substitutes = clip[unbounded >= len(timeline)]
    repeats = bool(np.all(substitutes == len(timeline) - 1))
    name = ("repeated" if repeats else "wrapped") if len(substitutes) else None
    return ExplainedClip(tuple(timeline[clip].tolist()), len(substitutes), name, size, crops)


def short_list(numbers: Sequence[int]) -> str:
    """Write integers in short form, without equal steps and repetitions.

    Args:
        numbers: At least one integer.

    Returns:
        A text such as "0, 2 ... 62", "(0, 2 ... 8) x 6", "39 x 12", "5, 6; 9; 1".
    """
    return "; ".join(
        text if (count := len(list(same))) == 1 else f"({text}) x {count}" if "," in text else f"{text} x {count}"
        for text, same in itertools.groupby(map(_run, _runs(numbers)))
    )


def _runs(numbers: Sequence[int]) -> list[list[int]]:
    """Split where the step changes, or where the numbers do not increase."""
    runs: list[list[int]] = []
    for number in numbers:
        run = runs[-1] if runs else []
        step = run[1] - run[0] if len(run) > 1 else None
        if run and number > run[-1] and step in (None, number - run[-1]):
            run.append(number)
        else:
            runs.append([number])
    return runs


def _run(run: list[int]) -> str:
    if len(run) <= 3:
        return ", ".join(map(str, run))
    return f"{run[0]}, {run[1]} ... {run[-1]}"
