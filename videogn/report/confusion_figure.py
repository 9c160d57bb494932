"""The picture of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from videogn.report.style import new_figure
from videogn.system.displayable import short_name

#: Classes whose names, and whose cells' numbers, still fit.
_MOST_NAMES, _MOST_NUMBERS = 48, 12
#: Inches across, and those of as many classes as need two pixels or three each: as wide as a report's page.
_SIZE, _LARGE = 7.5, 10.0
#: Letters of a name that are shown.
_NAME = 24


def plot_confusion(counts: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw a confusion matrix: a line for each true class, whose shares of predicted classes are its colours.

    Args:
        counts: Numbers of videos (K, K): true class, predicted class.
        names: Names of the K classes in that order. They are shown up to 48 classes, the numbers up to 12.

    Returns:
        The figure. A class without videos is a white line.

    Raises:
        ValueError: If `counts` is not of K x K classes.

    Example:
        >>> figure = plot_confusion(np.array([[3, 1], [0, 2]]), ["jumping", "running"])
        >>> figure.axes[0].get_title()
        '6 videos, 83.3 % on the diagonal'
    """
    counts, classes = np.asarray(counts), len(names)
    if counts.shape != (classes, classes):
        raise ValueError(f"counts must be of {classes} x {classes} classes, got {counts.shape}")
    videos, right = int(counts.sum()), int(np.trace(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = _SIZE if classes <= _MOST_NAMES else _LARGE
    figure = new_figure(size, 0.87 * size)  # the scale stands beside the square
    axes = figure.subplots()
    # One video in a hundred shows beside a diagonal of nearly all.
    image = axes.imshow(100 * shares, cmap="Blues", norm=PowerNorm(0.5, 0, 100), interpolation="nearest")
    figure.colorbar(image, ax=axes, shrink=0.6, label="of the class's videos (%)", ticks=[0, 1, 5, 20, 50, 100])
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_title(f"{videos:,} videos, {100 * right / max(videos, 1):.1f} % on the diagonal", fontsize="medium")
    if classes <= _MOST_NAMES:
        short = [short_name(name, _NAME) for name in names]
        letters = min(9.0, 250 / classes)
        # A class may be named like mathematics.
        axes.set_xticks(range(classes), short, rotation=90, fontsize=letters, parse_math=False)
        axes.set_yticks(range(classes), short, fontsize=letters, parse_math=False)
    if classes <= _MOST_NUMBERS:
        for true, predicted in np.argwhere(counts):
            count, colour = counts[true, predicted], "white" if shares[true, predicted] > 0.35 else "black"
            axes.text(predicted, true, f"{count:,}", ha="center", va="center", color=colour, fontsize="small")
    return figure
