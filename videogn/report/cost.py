"""Memory and time: a table and a figure."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from videogn.report.document_blocks import DASH, Table
from videogn.report.layout import Layout
from videogn.report.style import Styles, legend_below, new_figure, plain_axes, save_figure
from videogn.study.cell_files import CellResult
from videogn.system.sizes import format_size

_MIB = 2**20
_GIB = 2**30
#: A number of a cell, None where it is not known.
_Value = Callable[[CellResult], float | None]


def measured_peak(result: CellResult) -> int | None:
    """Peak memory in bytes: of the device where there was one, else of the whole process."""
    device = result.cost.get("peak_device_bytes")
    return device if device is not None else result.cost.get("peak_process_bytes")


def where_measured(results: Iterable[CellResult]) -> str:
    """Phrase the kind of memory that the measured peaks are of."""
    on_device = {result.cost.get("peak_device_bytes") is not None for result in results}
    if on_device == {True}:
        return "on the device, as PyTorch's allocator counts it"
    if on_device == {False}:
        return "of the whole process in main memory, with Python, the libraries and decoded videos"
    return "on the device where there was one, else of the whole process in main memory"


def cost_table(layout: Layout) -> Table:
    """Tabulate memory, time and training loss of each setting and norm, mean over the finished seeds."""
    rows = []
    columns = _COLUMNS if layout.varies_schedule else {k: v for k, v in _COLUMNS.items() if k not in _OF_SCHEDULES}
    for row in layout.new_rows:
        for norm in layout.norms:
            if results := layout.results(row, norm).values():
                means = [(_mean(map(value, results)), form) for value, form in columns.values()]
                shown = [DASH if mean is None else form(mean) for mean, form in means]
                rows.append([*layout.cells(row), layout.labels[norm], *shown])
    caption = f"Memory and training time{', mean over seeds' if len(layout.seeds) > 1 else ''}."
    return Table([*layout.head, "norm", *columns], rows, caption, len(layout.head) + 1)


def plot_costs(layout: Layout, styles: Styles, path: Path) -> Path | None:
    """Draw peak memory and training time, a line of dots for each setting.

    Args:
        layout: The section.
        styles: Norm -> keywords of its lines.
        path: The PNG file.

    Returns:
        `path`, or None where nothing is known.
    """
    planned, measured, seconds = ([*map(value, layout.finished)] for value in (_planned, measured_peak, _seconds))
    if not any([*planned, *measured, *seconds]):
        return None
    # Tensors on a device are compared with their plan; a whole process is many times what its tensors take.
    together = all(result.cost.get("peak_device_bytes") is not None for result in layout.finished)
    planned_in, planned_unit = _scaled(_planned, [*planned, *measured] if together else planned)
    measured_in, measured_unit = _scaled(measured_peak, [*planned, *measured] if together else measured)
    figure = new_figure(9.6 if together else 11.4, 1.5 + 0.42 * len(layout.rows) * max(len(layout.norms) / 2, 1))
    panels = list(figure.subplots(1, 2 if together else 3, sharey=True))
    panels[-2].set_xlabel(f"measured peak of the process ({measured_unit})")
    panels[0].set_xlabel(f"{'peak memory' if together else 'planned peak of tensors'} ({planned_unit})")
    panels[-1].set_xlabel("training (s)")
    _dots(panels[0], layout, styles, planned_in, hollow=True)
    _dots(panels[-2], layout, styles, measured_in)
    _dots(panels[-1], layout, styles, _seconds)
    panels[0].set_yticks(range(len(layout.rows)), [textwrap.fill(layout.label(row), 34) for row in layout.rows])
    panels[0].set_ylim(len(layout.rows) - 0.5, -0.5)
    for axes in panels:
        plain_axes(axes)
        axes.grid(False, axis="y")
        for line in range(1, len(layout.rows)):
            axes.axhline(line - 0.5, color="0.9", linewidth=0.8, zorder=0)
        axes.set_xlim(0, 1.06 * max(axes.dataLim.xmax, 1e-9) if np.isfinite(axes.dataLim.xmax) else 1)
    grey: dict[str, Any] = {"color": "0.35", "marker": "o", "linestyle": ""}
    handles = [Line2D([], [], **{**styles[norm], "linestyle": ""}, label=layout.labels[norm]) for norm in layout.norms]
    handles.append(Line2D([], [], **grey, markerfacecolor="white", label="planned peak"))
    handles.append(Line2D([], [], **grey, label="measured"))
    legend_below(figure, handles, columns=6)
    return save_figure(figure, path)


def _scaled(value: _Value, sizes: Iterable[float | None]) -> tuple[_Value, str]:
    """Sizes in the unit that suits the largest of them, and its name."""
    unit, name = (_GIB, "GiB") if max(filter(None, sizes), default=0) >= _GIB else (_MIB, "MiB")

    def scaled(result: CellResult) -> float | None:
        size = value(result)
        return None if size is None else size / unit

    return scaled, name


def _dots(axes: Axes, layout: Layout, styles: Styles, value: _Value, *, hollow: bool = False) -> None:
    for line, row in enumerate(layout.rows):
        for number, norm in enumerate(layout.norms):
            place = line + 0.5 * ((number + 0.5) / len(layout.norms) - 0.5)
            found = [x for result in layout.results(row, norm).values() if (x := value(result)) is not None]
            style = {**styles[norm], "linestyle": "", "markersize": 5}
            if hollow:
                style["markerfacecolor"] = "white"
            axes.plot(found, [place] * len(found), **style, alpha=0.6)


def _planned(result: CellResult) -> int | None:
    return result.planned.get("peak_bytes")


def _seconds(result: CellResult) -> float | None:
    return result.cost.get("training_seconds")


def _ratio(part: str, whole: str) -> _Value:
    def ratio(result: CellResult) -> float | None:
        a, b = result.cost.get(part), result.cost.get(whole)
        return a / b if a is not None and b else None

    return ratio


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def _size(size: float) -> str:
    return format_size(round(size))


def _time(seconds: float) -> str:
    return f"{seconds:.{0 if seconds >= 100 else 1}f}"


#: Title of a column -> (number of a cell, form of its mean).
_COLUMNS: dict[str, tuple[_Value, Callable[[float], str]]] = {
    "planned peak": (_planned, _size),
    "measured peak": (measured_peak, _size),
    "training (s)": (_seconds, _time),
    "test (s)": (lambda result: result.cost.get("testing_seconds"), _time),
    "s / step": (_ratio("training_seconds", "steps"), "{:.3f}".format),
    "clips / s": (_ratio("clips", "training_seconds"), "{:.1f}".format),
    "steps": (lambda result: result.cost.get("steps"), "{:,.0f}".format),
    "clips": (lambda result: result.cost.get("clips"), "{:,.0f}".format),
    "frames": (lambda result: result.cost.get("frames"), "{:,.0f}".format),
    "training loss": (lambda result: result.curve[-1].train_loss if result.curve else None, "{:.2f}".format),
}
#: Columns that are left out unless batches of one shape are compared with those of multigrid.
_OF_SCHEDULES = ("steps", "clips", "frames")
