"""Figures of accuracy: against batch size, against groups, against the number of test clips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from videogn.report import paper
from videogn.report.clip_counts import ClipFiles
from videogn.report.layout import Layout, Row, accuracies
from videogn.report.statistics import t_interval
from videogn.report.style import (
    legend_below,
    line_style,
    named_lines,
    new_figure,
    ordered_styles,
    plain_axes,
    powers_axis,
    save_figure,
    title_panel,
)
from videogn.report.tables import grouped_norms
from videogn.study.cell import Norm

#: Norm -> how its lines look, the same in all figures of a report.
Styles = Mapping[Norm, dict[str, Any]]
_PANELS_ACROSS = 3
#: Lines stand beside one another at one batch size by this part of a doubling.
_APART = 0.07


def norm_styles(norms: Sequence[Norm]) -> dict[Norm, dict[str, Any]]:
    """A style for each norm of a study."""
    return {norm: line_style(number) for number, norm in enumerate(dict.fromkeys(norms))}


def plot_batch_sizes(layout: Layout, styles: Styles, path: Path) -> Path | None:
    """Accuracy against batch size, a panel for each clip length, and a panel of the paper's Table 2.

    Args:
        layout: of a section.
        styles: of its norms.
        path: the PNG file.

    Returns:
        `path`, or None where nothing is finished.
    """
    if not layout.finished:
        return None
    figure, panels = panel_grid(len(layout.clips) + 1, height=3.7)
    for clip, axes in zip(layout.clips, panels, strict=False):
        rows = [row for row in layout.rows if row.clip == clip]
        for number, norm in enumerate(layout.norms):
            points = [(row.batch_size, accuracies(layout.results(row, norm))) for row in rows]
            shift = _beside(number, len(layout.norms))
            _plot_points(axes, points, styles[norm], norm.label, shift)
        powers_axis(axes, sorted(row.batch_size for row in rows))
        title_panel(axes, f"clips of {layout.clip_label(clip)}")
        axes.set_xlabel("batch size (clips per normalisation batch)")
    share_y([panels[number] for number in range(len(layout.clips))], "top-1 accuracy (%)")
    _plot_paper_table_2(panels[len(layout.clips)], layout, styles)
    legend_below(figure, list(named_lines(panels).values()))
    return save_figure(figure, path)


def plot_groups(layout: Layout, path: Path) -> list[Path]:
    """Accuracy against an option of a norm that takes several values (groups, channels per group): a file for each.

    Args:
        layout: of a section.
        path: the PNG file; the option's name is added to its stem.

    Returns:
        The files, in the order of `grouped_norms`.
    """
    written = []
    for name, option, norms in grouped_norms(layout):
        figure, panels = panel_grid(len(layout.clips), height=3.7)
        sizes = sorted({row.batch_size for row in layout.rows}, reverse=True)
        looks = dict(zip(sizes, ordered_styles(len(sizes)), strict=True))
        for clip, axes in zip(layout.clips, panels, strict=True):
            own = [row for row in layout.rows if row.clip == clip]
            for number, row in enumerate(own):
                shift = _beside(number, len(own))
                points = [(value, accuracies(layout.results(row, norm))) for value, norm in norms.items()]
                _plot_points(axes, points[::-1], looks[row.batch_size], f"batch {row.batch_size}", shift)
            powers_axis(axes, sorted(norms))
            title_panel(axes, f"{name.upper()}, clips of {layout.clip_label(clip)}")
            axes.set_xlabel(option.replace("_", " "))
        share_y(panels, "top-1 accuracy (%)")
        legend_below(figure, list(named_lines(panels).values()))
        written.append(save_figure(figure, path.with_stem(f"{path.stem}_{name}_{option}")))
    return written


def plot_clip_numbers(layout: Layout, styles: Styles, files: ClipFiles, path: Path) -> Path | None:
    """Accuracy against the number of test clips: a panel for each setting, mean over seeds, light lines for each seed.

    Args:
        layout: of a section.
        styles: of its norms.
        files: of the study.
        path: the PNG file.

    Returns:
        `path`, or None where no cell has a clip file with more than one clip.
    """
    curves = {(row, norm): _clip_curves(layout, row, norm, files) for row in layout.rows for norm in layout.norms}
    rows = [row for row in layout.rows if any(len(curves[row, norm]) for norm in layout.norms)]
    if not rows:
        return None
    figure, panels = panel_grid(len(rows), height=2.9)
    for row, axes in zip(rows, panels, strict=True):
        for norm in (norm for norm in layout.norms if len(curves[row, norm])):
            of_seeds = np.array(curves[row, norm])
            numbers = np.arange(1, of_seeds.shape[1] + 1)
            if len(of_seeds) > 1:
                axes.plot(numbers, of_seeds.T, color=styles[norm]["color"], alpha=0.25, linewidth=0.8, label="_seed")
            axes.plot(numbers, of_seeds.mean(axis=0), **styles[norm], markersize=4, label=norm.label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        title_panel(axes, layout.label(row))
        axes.set_xlabel("test clips a video")
    share_y(panels, "top-1 accuracy (%)")
    handles = named_lines(panels)
    legend_below(figure, [handles[norm.label] for norm in layout.norms if norm.label in handles])
    return save_figure(figure, path)


def panel_grid(number: int, *, height: float, across: int = _PANELS_ACROSS) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels of equal size.

    Args:
        number: of panels.
        height: of each, inches.
        across: most panels side by side.

    Returns:
        The figure, and its panels line by line.
    """
    columns = min(number, across)
    lines = -(-number // columns)
    figure = new_figure(max(3.7 * columns, 5.0), height * lines + 0.4)
    panels = list(np.atleast_1d(figure.subplots(lines, columns)).ravel())
    for axes in panels[number:]:
        axes.remove()
    for axes in panels[:number]:
        plain_axes(axes)
    return figure, panels[:number]


def share_y(panels: Sequence[Axes], label: str) -> None:
    """One y scale (per cent) for all panels, named on each: on a phone only one of them is seen."""
    # A panel without data has limits of its own that mean nothing; a bar may reach beyond what can be.
    limits = [axes.get_ylim() for axes in panels if np.isfinite(axes.dataLim.get_points()).all()] or [(0.0, 100.0)]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    for axes in panels:
        axes.set_ylim(max(low, -1.0), min(high, 101.0))
        axes.set_ylabel(label)


def _beside(number: int, count: int) -> float:
    """Factor that sets points of one x apart, on a logarithmic axis."""
    return float(2 ** (_APART * (number - (count - 1) / 2)))


def _plot_points(
    axes: Axes, points: Sequence[tuple[int, list[float]]], style: dict[str, Any], label: str, shift: float
) -> None:
    """Mean, 95 % interval, and the seeds as small dots; `shift` is a factor, since the axis is logarithmic."""
    finished = [(x * shift, values) for x, values in points if values]
    if not finished:
        return
    intervals = [t_interval(values) for _, values in finished]
    axes.errorbar(
        [x for x, _ in finished],
        [interval.mean for interval in intervals],
        yerr=[interval.half_width or 0.0 for interval in intervals],
        capsize=3,
        elinewidth=1.0,
        **{**style, "label": "_bars"},
    )
    axes.plot([], [], **style, label=label)  # the legend's, without bars
    for x, values in finished:
        if len(values) > 1:
            axes.plot([x] * len(values), values, ".", color=style["color"], alpha=0.45, markersize=4, label="_seeds")


def _plot_paper_table_2(axes: Axes, layout: Layout, styles: Styles) -> None:
    """Upside down, so that up is better as in the other panels."""
    names = {norm.name: norm for norm in reversed(layout.norms)}
    for number, (name, errors) in enumerate(paper.TABLE_2.items()):
        style = styles[names[name]] if name in names else {**line_style(number), "color": "0.5"}
        sizes = sorted(errors)
        shown = "_paper" if name in names else f"{name.upper()} (the paper's)"
        axes.plot(sizes, [errors[size] for size in sizes], **{**style, "markerfacecolor": "white"}, label=shown)
    powers_axis(axes, sorted(paper.TABLE_2["bn"]))
    axes.invert_yaxis()
    axes.set_title("paper, ImageNet (not measured here)", fontsize="medium", style="italic")
    axes.set_xlabel("batch size (images per GPU)")
    axes.set_ylabel("error (%), axis upside down")


def _clip_curves(layout: Layout, row: Row, norm: Norm, files: ClipFiles) -> list[np.ndarray]:
    """Accuracy (%) with 1 .. V clips, a curve for each seed."""
    found = [files.hits(result) for result in layout.results(row, norm).values()]
    curves = [100 * one.hits.mean(axis=0) for one in found if one is not None and one.hits.shape[1] > 1]
    most = max((len(curve) for curve in curves), default=0)
    return [curve for curve in curves if len(curve) == most]
