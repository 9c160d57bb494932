"""Where a class came from, as a figure: the clips' frames, the evidence on them, and the evidence over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from videogn.pictures.clip_strip import ClipFrame, draw_strip, strip_height
from videogn.pictures.heat import heated
from videogn.pictures.lettering import figure_text, short_name, wrapped_name
from videogn.pictures.prediction_figure import draw_over_time
from videogn.report.style import VERMILLION, new_figure, plain_axes

_WIDTH = 11.0


def explanation_figure(
    title: str,
    class_name: str,
    frames: Sequence[ClipFrame],
    heat: Sequence[NDArray[np.float32]],
    over_time: tuple[Sequence[float], NDArray[np.float32]],
    clip_times: Sequence[tuple[float, float]],
    probabilities: NDArray[np.float32],
) -> Figure:
    """Draw an explanation.

    Args:
        title: Name of the video.
        class_name: Class that is explained.
        frames: One frame a clip, of all clips or some.
        heat: Evidence on each of these frames, float32 (h, w), from 0 to 1.
        over_time: Seconds of all frames that the network saw, and the mean evidence on each, in any unit.
        clip_times: Start and end of each clip, seconds.
        probabilities: Probability of the class in each clip (clips,).

    Returns:
        The figure.
    """
    coloured = [ClipFrame(heated(frame.picture, warm), frame.seconds) for frame, warm in zip(frames, heat, strict=True)]
    style = figure_text(map(short_name, [title, class_name]))
    tall = strip_height(_WIDTH, [frames, coloured])
    figure = new_figure(_WIDTH, tall + 3.2)
    heading = f"evidence for: {wrapped_name(class_name, 90, 1)}\n{short_name(title, 110)}"
    figure.suptitle(heading, fontsize="medium", **style)
    parts: Any = figure.subfigures(2, 1, height_ratios=[tall, 2.6])
    strip, below = parts
    draw_strip(strip, [frames, coloured])
    left, right = below.subplots(1, 2)
    draw_over_time(left, clip_times, probabilities[:, None])
    right.plot(*_with_gaps(*over_time), color=VERMILLION, drawstyle="steps-post")
    plain_axes(right)
    right.set_xlim(*left.get_xlim())
    right.set_ylim(-2, 102)
    right.set_xlabel("seconds")
    right.set_ylabel("evidence on the frame,\n% of the largest")
    return figure


def _with_gaps(
    seconds: Sequence[float], evidence: NDArray[np.float32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Seconds and per cent of the largest evidence, with NaN where no clip was: a line breaks there."""
    steps = np.diff(seconds)
    gaps = np.flatnonzero(steps > 3 * np.median(steps)) + 1 if len(steps) else np.empty(0, np.int64)
    values = 100.0 * np.asarray(evidence, np.float64) / (float(evidence.max()) or 1.0)
    return np.insert(np.asarray(seconds, np.float64), gaps, np.nan), np.insert(values, gaps, np.nan)
