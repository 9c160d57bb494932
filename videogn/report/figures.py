"""Figures of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from videogn.files import replacing
from videogn.study.cells import CellResult

#: Told apart by colour-blind readers too (Okabe & Ito), and by dashes in print.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("-", "--", "-.", ":")


def plot_validation_error(results: Sequence[CellResult], path: str | Path) -> Path:
    """Validation error per epoch, one panel for each norm, one line for each setting: the GN paper's Figure 7.

    Several seeds are averaged.

    Args:
        results: finished cells.
        path: the PNG file.

    Returns:
        `path`.
    """
    norms = list(dict.fromkeys(result.cell.norm for result in results))
    settings = list(dict.fromkeys((r.cell.clip_length, r.cell.interval, r.cell.batch_size) for r in results))
    figure = Figure(figsize=(4.6 * len(norms), 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    panels = np.atleast_1d(figure.subplots(1, len(norms), sharex=True, sharey=True))
    for norm, axes in zip(norms, panels, strict=True):
        for number, setting in enumerate(settings):
            curves = [r.val_error for r in results if r.cell.norm == norm and _setting(r) == setting and r.val_error]
            if curves:
                _plot_mean(axes, curves, setting, number)
        axes.set_title(norm.upper())
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("validation error, 1 clip (%)")
    panels[0].set_ylim(bottom=0)
    panels[-1].legend(title="clip length x interval, batch", frameon=False)
    path = Path(path)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=150)
    return path


def _setting(result: CellResult) -> tuple[int, int, int]:
    return result.cell.clip_length, result.cell.interval, result.cell.batch_size


def _plot_mean(axes: Axes, curves: Sequence[Sequence[float]], setting: tuple[int, int, int], number: int) -> None:
    epochs = min(map(len, curves))
    mean = 100 * np.mean([curve[:epochs] for curve in curves], axis=0)
    length, interval, batch = setting
    axes.plot(
        np.arange(1, epochs + 1),
        mean,
        color=_COLOURS[number % len(_COLOURS)],
        linestyle=_DASHES[number % len(_DASHES)],
        label=f"{length} x {interval}, {batch}",
    )
