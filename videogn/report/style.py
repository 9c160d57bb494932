"""The looks of every figure: colours for colour-blind readers, markers and dashes for print, panels and legends."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import NullLocator

from videogn.study.cell import Norm
from videogn.system.files import replacing

# Told apart by colour-blind readers too (Okabe & Ito 2008, Color Universal Design).
BLUE = "#0072B2"
VERMILLION = "#D55E00"
GREEN = "#009E73"
PURPLE = "#CC79A7"
ORANGE = "#E69F00"
SKY = "#56B4E9"
COLOURS = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
# And in print.
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
MARKERS = "osD^vPX"
#: Norm -> keywords of its lines, the same in all figures of a report.
Styles: TypeAlias = Mapping[Norm, dict[str, Any]]
#: Pixels an inch of a figure's file.
DPI = 150
#: Lines of a legend that a figure has room for, and the height of each further one, inches.
_LEGEND_LINES, _LEGEND_LINE = 2, 0.22


def norm_styles(norms: Iterable[Norm]) -> dict[Norm, dict[str, Any]]:
    """Give each norm of a study a style."""
    return {norm: line_style(number) for number, norm in enumerate(dict.fromkeys(norms))}


def line_style(number: int) -> dict[str, Any]:
    """Choose colour, dashes and marker of the line `number`, as keywords of `Axes.plot`."""
    return {
        "color": COLOURS[number % len(COLOURS)],
        "linestyle": DASHES[number % len(DASHES)],
        "marker": MARKERS[number % len(MARKERS)],
    }


def ordered_styles(count: int) -> list[dict[str, Any]]:
    """Styles of lines that have an order (batch sizes), dark to light, so that grey keeps it; not a norm's colours."""
    shades = [to_hex(colormaps["viridis"](0.82 * number / max(count - 1, 1))) for number in range(count)]
    return [{**line_style(number), "color": shade} for number, shade in enumerate(shades)]


def new_figure(width: float, height: float) -> Figure:
    """Make a white figure without a window; sizes in inches."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08), facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def panel_grid(number: int, *, height: float, across: int = 3) -> tuple[Figure, list[Axes]]:
    """Make a figure of panels of equal size.

    Args:
        number: Number of panels.
        height: Height of each, inches.
        across: Most panels side by side. Default: 3.

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
    """Give all panels one y scale (per cent), named on each: on a phone only one of them is seen."""
    # A panel without data has limits of its own that mean nothing; a bar may reach beyond what can be.
    limits = [axes.get_ylim() for axes in panels if np.isfinite(axes.dataLim.get_points()).all()] or [(0.0, 100.0)]
    low, high = min(low for low, _ in limits), max(high for _, high in limits)
    for axes in panels:
        axes.set_ylim(max(low, -1.0), min(high, 101.0))
        axes.set_ylabel(label)


def save_figure(figure: Figure, path: str | Path, *, dpi: int = DPI) -> Path:
    """Write a PNG by way of a temporary file; return its path. In a name, "$" is no mathematics."""
    path = Path(path)
    for text in figure.findobj(Text):
        if text.get_text():  # not that of the numbers of a scale, which are set while it is drawn
            text.set_parse_math(False)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=dpi, format="png")
    return path


def plain_axes(axes: Axes) -> None:
    """Give axes a light grid, and no frame where there is no scale."""
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def title_panel(axes: Axes, text: str) -> None:
    """Set a title in lines as wide as a panel, whatever it holds (a file's name may look like mathematics)."""
    axes.set_title(textwrap.fill(text, 34), fontsize="medium", parse_math=False)


def powers_axis(axes: Axes, values: Sequence[int]) -> None:
    """Make the x axis logarithmic with exactly these values as ticks."""
    axes.set_xscale("log", base=2)
    axes.set_xlim(min(values) / 1.35, max(values) * 1.35)
    axes.set_xticks(values, [str(value) for value in values])
    axes.xaxis.set_minor_locator(NullLocator())


def named_lines(panels: Sequence[Axes]) -> dict[str, Line2D]:
    """Find a line for each label, over all panels; labels that begin with "_" are not meant to be shown."""
    lines = [line for axes in panels for line in axes.lines]
    return {str(line.get_label()): line for line in lines if not str(line.get_label()).startswith("_")}


def legend_below(figure: Figure, handles: Sequence[Any], *, columns: int = 4) -> None:
    """Put a legend under all panels, where it covers no data; long labels get fewer columns than `columns`.

    The figure grows by what more than two lines of it need, so that the panels keep their height.
    """
    if handles:
        widest = max(len(line) for handle in handles for line in str(handle.get_label()).split("\n"))
        fit = int(figure.get_figwidth() / (0.9 + 0.085 * widest))  # inches of a line with its margins, and of a letter
        shown = max(min(len(handles), columns, fit), 1)
        figure.legend(handles=list(handles), loc="outside lower center", ncols=shown, frameon=False, handlelength=3.2)
        lines = sum(str(handle.get_label()).count("\n") + 1 for handle in handles)
        more = -(-lines // shown) - _LEGEND_LINES
        figure.set_figheight(figure.get_figheight() + _LEGEND_LINE * max(more, 0))
