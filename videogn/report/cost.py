"""Memory and time: a table and a figure."""

from __future__ import annotations

import statistics
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from videogn.report.document_blocks import DASH, Table
from videogn.report.figures import Styles
from videogn.report.layout import Layout
from videogn.report.style import legend_below, new_figure, plain_axes, save_figure
from videogn.study.cell_files import CellResult
from videogn.system.sizes import format_size

_MIB = 2**20
_GIB = 2**30


def measured_peak(result: CellResult) -> int | None:
    """Bytes: of the device where there was one, else of the whole process."""
    device = result.cost.get("peak_device_bytes")
    return device if device is not None else result.cost.get("peak_process_bytes")


def where_measured(layout: Layout) -> str:
    """What the measured peaks are of."""
    on_device = {result.cost.get("peak_device_bytes") is not None for result in layout.finished}
    if on_device == {True}:
        return "on the device, as PyTorch's allocator counts it"
    if on_device == {False}:
        return "of the whole process in main memory, with Python, the libraries and decoded videos"
    return "on the device where there was one, else of the whole process in main memory"


def cost_table(layout: Layout) -> Table:
    """Memory, time and trials of each setting and norm, mean over the finished seeds."""
    rows = []
    for row in layout.rows:
        for norm in layout.norms:
            results = layout.results(row, norm)
            if results:
                rows.append([*layout.cells(row), norm.label, *_costs(results)])
    head = [*layout.head, "norm", "planned peak", "measured peak", "training (s)", "test (s)", "s / step", "clips / s"]
    head.append("training loss")
    caption = (
        "Memory and training time, mean over seeds. Planned: tensors of a training step. "
        f"Measured: {where_measured(layout)}. Training loss: mean of those logged between the last two "
        "validations. "
        "Times of cells that ran side by side include their waiting for one another."
    )
    return Table(head, rows, caption, len(layout.head) + 1)


def plot_costs(layout: Layout, styles: Styles, path: Path) -> Path | None:
    """Peak memory and training time, a line of dots for each setting.

    Args:
        layout: of a section.
        styles: of its norms.
        path: the PNG file.

    Returns:
        `path`, or None where nothing is known.
    """
    planned = [size for result in layout.finished if (size := _planned(result)) is not None]
    measured = [size for result in layout.finished if (size := measured_peak(result)) is not None]
    if not (planned or measured) and not any(_seconds(result) for result in layout.finished):
        return None
    # Tensors on a device are compared with their plan; a whole process is many times what its tensors take.
    together = all(result.cost.get("peak_device_bytes") is not None for result in layout.finished)
    figure = new_figure(9.6 if together else 11.4, 1.5 + 0.42 * len(layout.rows) * max(len(layout.norms) / 2, 1))
    panels = list(figure.subplots(1, 2 if together else 3, sharey=True))
    first, last = panels[0], panels[-1]
    planned_unit = _unit([*planned, *measured] if together else planned)
    measured_unit = planned_unit if together else _unit(measured)
    _dots(first, layout, styles, _scaled(_planned, planned_unit), hollow=True)
    _dots(panels[-2], layout, styles, _scaled(measured_peak, measured_unit), hollow=False)
    _dots(last, layout, styles, _seconds, hollow=False)
    first.set_xlabel(f"{'peak memory' if together else 'planned peak of tensors'} ({_unit_name(planned_unit)})")
    if not together:
        panels[1].set_xlabel(f"measured peak of the process ({_unit_name(measured_unit)})")
    last.set_xlabel("training (s)")
    first.set_yticks(range(len(layout.rows)), [textwrap.fill(layout.label(row), 34) for row in layout.rows])
    first.set_ylim(len(layout.rows) - 0.5, -0.5)
    for axes in panels:
        plain_axes(axes)
        axes.grid(False, axis="y")
        for line in range(1, len(layout.rows)):
            axes.axhline(line - 0.5, color="0.9", linewidth=0.8, zorder=0)
        axes.set_xlim(0, 1.06 * max(axes.dataLim.xmax, 1e-9) if np.isfinite(axes.dataLim.xmax) else 1)
    kinds = [Line2D([], [], color="0.35", marker="o", linestyle="", markerfacecolor="white", label="planned peak")]
    kinds.append(Line2D([], [], color="0.35", marker="o", linestyle="", label="measured"))
    norms = [Line2D([], [], **{**styles[norm], "linestyle": ""}, label=norm.label) for norm in layout.norms]
    legend_below(figure, [*norms, *kinds], columns=6)
    return save_figure(figure, path)


def _unit(sizes: list[int]) -> int:
    return _GIB if max(sizes, default=0) >= _GIB else _MIB


def _unit_name(unit: int) -> str:
    return "GiB" if unit == _GIB else "MiB"


def _dots(
    axes: Axes, layout: Layout, styles: Styles, value: Callable[[CellResult], float | None], *, hollow: bool
) -> None:
    for line, row in enumerate(layout.rows):
        for number, norm in enumerate(layout.norms):
            place = line + 0.5 * ((number + 0.5) / len(layout.norms) - 0.5)
            found = [x for result in layout.results(row, norm).values() if (x := value(result)) is not None]
            style = {**styles[norm], "linestyle": "", "markersize": 5}
            if hollow:
                style["markerfacecolor"] = "white"
            axes.plot(found, [place] * len(found), **style, alpha=0.6)


def _scaled(value: Callable[[CellResult], int | None], unit: int) -> Callable[[CellResult], float | None]:
    def scaled(result: CellResult) -> float | None:
        size = value(result)
        return None if size is None else size / unit

    return scaled


def _planned(result: CellResult) -> int | None:
    return result.planned.get("peak_bytes")


def _seconds(result: CellResult) -> float | None:
    return result.cost.get("training_seconds")


def _costs(results: Mapping[int, CellResult]) -> list[str]:
    found = list(results.values())
    seconds = _mean(_seconds(result) for result in found)
    loss = _mean(result.curve[-1].train_loss for result in found if result.curve)
    planned, measured = _mean(map(_planned, found)), _mean(map(measured_peak, found))
    return [
        DASH if planned is None else format_size(round(planned)),
        DASH if measured is None else format_size(round(measured)),
        _shown_seconds(seconds),
        _shown_seconds(_mean(result.cost.get("testing_seconds") for result in found)),
        _ratio(found, "training_seconds", "steps", 3),
        _ratio(found, "clips", "training_seconds", 1),
        DASH if loss is None else f"{loss:.2f}",
    ]


def _shown_seconds(seconds: float | None) -> str:
    return DASH if seconds is None else f"{seconds:.{0 if seconds >= 100 else 1}f}"


def _mean(values: Any) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def _ratio(results: list[CellResult], part: str, whole: str, digits: int) -> str:
    pairs = [(r.cost.get(part), r.cost.get(whole)) for r in results]
    mean = _mean(a / b for a, b in pairs if a is not None and b)
    return DASH if mean is None else f"{mean:.{digits}f}"
