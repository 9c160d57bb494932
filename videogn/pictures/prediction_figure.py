"""A video's prediction as a figure: what its clips show, the best classes, and what each clip said."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from videogn.pictures.clip_strip import ClipFrame, draw_strip, strip_height
from videogn.pictures.lettering import figure_text, short_name, wrapped_name
from videogn.pictures.running_prediction import clip_middles
from videogn.report.style import COLOURS, line_style, new_figure, plain_axes

_WIDTH = 11.0
#: Most bars, and most lines over time: as many as there are colours.
_BARS, _LINES = 10, len(COLOURS)
_GREY = "#999999"


def prediction_figure(
    title: str,
    frames: Sequence[ClipFrame],
    class_names: Sequence[str],
    clip_times: Sequence[tuple[float, float]],
    clip_probabilities: NDArray[np.float32],
    *,
    top_k: int = 5,
) -> Figure:
    """Draw a prediction.

    Args:
        title: Name of the video.
        frames: One frame a clip, of all clips or some.
        class_names: Names of the K classes.
        clip_times: Start and end of each clip, seconds.
        clip_probabilities: Probabilities of each clip (clips, K).
        top_k: Number of classes that get a bar, at most 10; the first six get a line over time, too. Default: 5.

    Returns:
        The figure: the strip above, bars below left, and probabilities over time below right.
    """
    probabilities = clip_probabilities.mean(axis=0)
    best = np.argsort(-probabilities, kind="stable")[: min(top_k, _BARS)].tolist()
    names = [class_names[number] for number in best]
    style = figure_text(map(short_name, [title, *names]))
    tall, low = strip_height(_WIDTH, [frames]), max(2.6, 0.42 * len(best) + 0.9)
    figure = new_figure(_WIDTH, tall + low + 0.4)
    figure.suptitle(short_name(title, 110), fontsize="medium", **style)
    parts: Any = figure.subfigures(2, 1, height_ratios=[tall, low])
    strip, below = parts
    draw_strip(strip, [frames])
    bars, over_time = below.subplots(1, 2, width_ratios=[1, 1.2])
    _draw_bars(bars, names, probabilities[best], style)
    draw_over_time(over_time, clip_times, clip_probabilities[:, best[:_LINES]])
    return figure


def draw_over_time(axes: Axes, clip_times: Sequence[tuple[float, float]], probabilities: NDArray[np.float32]) -> None:
    """Draw the probabilities (clips, k) of classes in the middle of each clip, joined in the order of time."""
    middles = clip_middles(clip_times)
    order = np.argsort(middles, kind="stable")
    for number, values in enumerate(probabilities.T):
        axes.plot(middles[order], 100 * values[order], **line_style(number), markersize=4)
    plain_axes(axes)
    axes.set_xlim(min(start for start, _ in clip_times), max(end for _, end in clip_times))
    axes.set_ylim(-2, 102)
    axes.set_xlabel("seconds (middle of the clip)")
    axes.set_ylabel("probability, %")


def _draw_bars(axes: Axes, names: Sequence[str], values: NDArray[np.float32], style: dict) -> None:
    """A bar a class, with the colour and the marker of its line over time."""
    places = range(len(names))
    colours = [*COLOURS, *[_GREY] * len(names)][: len(names)]
    axes.barh(places, 100 * values, color=colours, height=0.6)
    for place, value in zip(places, values, strict=True):
        axes.annotate(
            f"{value:.1%}", (100 * value, place), (4, 0), textcoords="offset points", va="center", size="small"
        )
        if place < _LINES:
            look = line_style(place)
            axes.plot([0], [place], color=look["color"], marker=look["marker"], clip_on=False, markeredgecolor="white")
    axes.set_yticks(places, [wrapped_name(name, 34) for name in names], fontsize="small", **style)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(0, 116)  # room for the number at a full bar
    axes.set_xticks([0, 25, 50, 75, 100])
    plain_axes(axes)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("probability, mean over the clips, %")
