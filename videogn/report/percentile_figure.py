"""The figure of feature percentiles."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from videogn.report.style import BLUE, GREEN, ORANGE, PURPLE, SKY, VERMILLION, new_figure, plain_axes, save_figure

#: From the outermost pair inwards.
_COLOURS = (VERMILLION, BLUE, GREEN, PURPLE, ORANGE, SKY)
#: A point on each line is useful only while they can be told apart.
_MOST_MARKERS = 30


def plot_percentiles(csv_path: str | Path, png_path: str | Path) -> Path:
    """Draw percentiles of a layer's output against the epoch: the GN paper's Figure 6.

    Args:
        csv_path: CSV file with columns `epoch` and `p1`, `p20` and so on, as FeaturePercentiles writes them.
        png_path: The PNG file.

    Returns:
        Path of the PNG file.

    Raises:
        ValueError: The file has no such columns or no rows.
    """
    csv_path = Path(csv_path)
    figure = new_figure(5.6, 3.8)
    axes = figure.subplots()
    draw_percentiles(axes, csv_path)
    axes.set_title(f"output of {csv_path.stem.removeprefix('percentiles_')}", fontsize="medium")
    axes.legend(title="percentile", frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return save_figure(figure, png_path)


def draw_percentiles(axes: Axes, csv_path: Path) -> None:
    """Draw the lines of `plot_percentiles` into axes, with their labels and without a legend; errors as there."""
    epochs, curves = _read(csv_path)
    axes.axhline(0, color="0.6", linewidth=0.8)
    marker = "o" if len(epochs) <= _MOST_MARKERS else ""
    distances = sorted({abs(percentile - 50) for percentile in curves}, reverse=True)
    for percentile, values in curves.items():
        # A pair such as 20 and 80 has one colour; inner pairs are wider, so that one under an outer pair still shows
        # (after a ReLU the lower ones are all 0).
        rank = distances.index(abs(percentile - 50))
        axes.plot(
            epochs,
            values,
            color=_COLOURS[rank % len(_COLOURS)],
            linestyle="-" if percentile >= 50 else "--",
            linewidth=1.3 + 1.1 * rank,
            marker=marker,
            markersize=3.5 + 1.5 * rank,
            zorder=3 - 0.1 * rank,
            label=f"{percentile:g}",
        )
    axes.set_xlabel("epoch")
    axes.set_ylabel("value")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain_axes(axes)


def _read(path: Path) -> tuple[list[float], dict[float, list[float]]]:
    """Epochs, and percentile -> its values, the highest first; NaN where a row lacks one."""
    with path.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        rows = list(reader)
        columns = {float(name[1:]): name for name in reader.fieldnames or () if _is_percentile(name)}
    if not columns or "epoch" not in (reader.fieldnames or ()):
        raise ValueError(f"{path} has no columns of percentiles: epoch, p1, p20 and so on are expected")
    if not rows:
        raise ValueError(f"{path} has no rows")
    curves = {
        percentile: [float(row[columns[percentile]] or math.nan) for row in rows]
        for percentile in sorted(columns, reverse=True)
    }
    return [float(row["epoch"]) for row in rows], curves


def _is_percentile(column: str) -> bool:
    return column.startswith("p") and column[1:].replace(".", "", 1).isdigit()
