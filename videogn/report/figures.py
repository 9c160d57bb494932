"""Figures of accuracy: against batch size, against groups, against the number of test clips."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from videogn.report import paper
from videogn.report.clip_counts import ClipFiles
from videogn.report.layout import Layout, Row, accuracies, mean_accuracy
from videogn.report.statistics import Interval
from videogn.report.style import (
    Styles,
    legend_below,
    line_style,
    named_lines,
    ordered_styles,
    panel_grid,
    powers_axis,
    save_figure,
    share_y,
    title_panel,
)
from videogn.report.tables import grouped_norms
from videogn.study.cell import Norm
from videogn.study.cell_files import CellResult

#: Lines stand beside one another at one batch size by this part of a doubling, and all of them within that.
_APART, _WITHIN = 0.07, 0.56


def plot_batch_sizes(layout: Layout, styles: Styles, path: Path) -> Path | None:
    """Draw accuracy against batch size, a panel for each clip length, and a panel of the paper's Table 2.

    Args:
        layout: The section.
        styles: Norm -> keywords of its lines.
        path: The PNG file.

    Returns:
        `path`, or None where nothing is finished.
    """
    if not layout.finished:
        return None
    figure, panels = panel_grid(len(layout.clips) + 1, height=3.7)
    for clip, axes in zip(layout.clips, panels, strict=False):
        rows = [row for row in layout.rows if row.clip == clip]
        for number, norm in enumerate(layout.norms):
            points = {row.batch_size: layout.results(row, norm) for row in rows}
            _plot_points(axes, points, styles[norm], layout.labels[norm], _beside(number, len(layout.norms)))
        powers_axis(axes, sorted(row.batch_size for row in rows))
        title_panel(axes, layout.of_clip(clip))
        axes.set_xlabel(f"batch size ({layout.unit}s per normalisation batch)")
    share_y(panels[:-1], "top-1 accuracy (%)")
    _plot_paper_table_2(panels[-1], layout, styles)
    legend_below(figure, list(named_lines(panels).values()))
    return save_figure(figure, path)


def plot_groups(layout: Layout, path: Path) -> list[Path]:
    """Draw accuracy against an option of a norm that has several values (groups, channels per group): a file each.

    Args:
        layout: The section.
        path: The PNG file; the name of the option is added to its stem.

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
                points = {value: layout.results(row, norm) for value, norm in reversed(norms.items())}
                label = f"batch {row.batch_size}"
                _plot_points(axes, points, looks[row.batch_size], label, _beside(number, len(own)))
            powers_axis(axes, sorted(norms))
            title_panel(axes, f"{name.upper()}, {layout.of_clip(clip)}")
            axes.set_xlabel(option.replace("_", " "))
        share_y(panels, "top-1 accuracy (%)")
        legend_below(figure, list(named_lines(panels).values()))
        written.append(save_figure(figure, path.with_stem(f"{path.stem}_{name}_{option}")))
    return written


def plot_clip_numbers(layout: Layout, styles: Styles, files: ClipFiles, path: Path) -> Path | None:
    """Draw accuracy against the number of test clips: a panel for each setting.

    Thick lines are means over seeds, light lines the seeds.

    Args:
        layout: The section.
        styles: Norm -> keywords of its lines.
        files: Clip files of the study.
        path: The PNG file.

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
            axes.plot(numbers, of_seeds.mean(axis=0), **styles[norm], markersize=4, label=layout.labels[norm])
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        title_panel(axes, layout.label(row))
        axes.set_xlabel("test clips a video")
    share_y(panels, "top-1 accuracy (%)")
    handles = named_lines(panels)
    legend_below(figure, [handles[label] for label in layout.labels.values() if label in handles])
    return save_figure(figure, path)


def _beside(number: int, count: int) -> float:
    """Factor that sets points of one x apart, on a logarithmic axis."""
    return float(2 ** (min(_APART, _WITHIN / count) * (number - (count - 1) / 2)))


def _plot_points(
    axes: Axes, points: Mapping[int, Mapping[int, CellResult]], style: dict[str, Any], label: str, shift: float
) -> None:
    """Mean, 95 % interval, and the seeds as small dots; `shift` is a factor, since the axis is logarithmic."""
    means = {x: mean_accuracy(result.test for result in results.values()) for x, results in points.items()}
    finished = [(x * shift, mean, accuracies(points[x])) for x, mean in means.items() if mean is not None]
    if not finished:
        return
    axes.errorbar(
        [x for x, _, _ in finished],
        [mean.mean for _, mean, _ in finished],
        yerr=np.transpose([_bar(mean) for _, mean, _ in finished]),
        capsize=3,
        elinewidth=1.0,
        **{**style, "label": "_bars"},
    )
    axes.plot([], [], **style, label=label)  # the legend's, without bars
    for x, _, values in finished:
        if len(values) > 1:
            axes.plot([x] * len(values), values, ".", color=style["color"], alpha=0.45, markersize=4, label="_seeds")


def _bar(mean: Interval) -> tuple[float, float]:
    """How far the interval reaches below and above the mean."""
    return (0.0, 0.0) if mean.low is None or mean.high is None else (mean.mean - mean.low, mean.high - mean.mean)


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
