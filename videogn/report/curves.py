"""The figure of validation errors: the paper's Figure 7."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from videogn.report.layout import MOST_ACROSS, Clip, Layout, Row
from videogn.report.style import (
    legend_below,
    named_lines,
    ordered_styles,
    panel_grid,
    save_figure,
    share_y,
    title_panel,
)
from videogn.study.cell import Norm
from videogn.study.cell_files import CellResult

#: More lines in one panel cannot be told apart.
_MOST_LINES = 4
#: Points of a mean over curves that were not validated at the same places.
_GRID = 60


def plot_validation_errors(layout: Layout, path: Path) -> Path | None:
    """Draw the validation error of one clip: a panel for each norm, a line for each setting, mean over seeds.

    Where there are many settings, clip lengths have panels of their own. Against the epoch where the budget counts
    epochs, else against frames trained on.

    Args:
        layout: The section.
        path: The PNG file.

    Returns:
        `path`, or None where no cell was validated twice.
    """
    if not any(len(result.curve) > 1 for result in layout.finished):
        return None
    split = len(layout.rows) > _MOST_LINES and len(layout.clips) > 1
    groups = [(clip,) for clip in layout.clips] if split else [layout.clips]

    def name(row: Row) -> str:
        return f"batch {row.batch_size}" if split else layout.label(row)

    names = list(dict.fromkeys(map(name, layout.rows)))
    looks = dict(zip(names, ordered_styles(len(names)), strict=True))
    across = min(len(layout.norms), MOST_ACROSS)
    figure, panels = panel_grid(len(groups) * len(layout.norms), height=3.2, across=across)
    places = [(clips, norm) for clips in groups for norm in layout.norms]
    for (clips, norm), axes in zip(places, panels, strict=True):
        for row in (row for row in layout.rows if row.clip in clips):
            style = {**looks[name(row)], "label": name(row)}
            _plot_seeds(axes, list(layout.results(row, norm).values()), style, _x_unit(layout)[0])
        _name(axes, layout, clips if split else (), norm)
    share_y(panels, f"validation error, 1 {layout.unit} (%)")
    for axes in panels:
        axes.set_ylim(bottom=0)
    legend_below(figure, list(named_lines(panels).values()), columns=3)
    return save_figure(figure, path)


def mean_curve(curves: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Average curves (x, y) where all of them are known; interpolate where they are known at different places.

    Args:
        curves: At least one curve, each with ascending x.

    Returns:
        Values of x, and the mean at each.
    """
    common = set.intersection(*(set(x.tolist()) for x, _ in curves))
    if len(common) == min(len(x) for x, _ in curves):
        places = np.array(sorted(common))
    else:
        places = np.linspace(max(x[0] for x, _ in curves), min(x[-1] for x, _ in curves), _GRID)
    return places, np.mean([np.interp(places, x, y) for x, y in curves], axis=0)


def _plot_seeds(axes: Axes, results: Sequence[CellResult], style: dict[str, Any], unit: float) -> None:
    curves = [_curve(result, unit) for result in results if result.curve]
    if not curves:
        return
    x, mean = mean_curve(curves)
    if len(curves) > 1:
        for places, values in curves:
            axes.plot(places, values, color=style["color"], alpha=0.25, linewidth=0.7, label="_seed")
    every = max(len(x) // 8, 1)
    axes.plot(x, mean, **style, linewidth=1.6, markersize=4, markevery=every)


def _by_epoch(layout: Layout) -> bool:
    return layout.section.cells[0].budget.kind == "epochs"


def _x_unit(layout: Layout) -> tuple[float, str]:
    """Unit of the x axis, and its name."""
    if _by_epoch(layout):
        return 1.0, "epoch"
    most = max(point.frames for result in layout.finished for point in result.curve)
    return (1e6, "frames trained on (millions)") if most >= 1e6 else (1e3, "frames trained on (thousands)")


def _curve(result: CellResult, unit: float) -> tuple[np.ndarray, np.ndarray]:
    by_epoch = result.cell.budget.kind == "epochs"
    x = np.array([point.epoch if by_epoch else point.frames / unit for point in result.curve], dtype=np.float64)
    return x, 100 * np.array([point.val_error for point in result.curve])


def _name(axes: Axes, layout: Layout, clips: Sequence[Clip], norm: Norm) -> None:
    of_clip = f", {layout.of_clip(clips[0])}" if clips else ""
    title_panel(axes, f"{layout.labels[norm]}{of_clip}")
    axes.set_xlabel(_x_unit(layout)[1])
    if _by_epoch(layout):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
