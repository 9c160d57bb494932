"""The figure of what fits in equal memory: clip length against batch size."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator, ScalarFormatter

from videogn.report.style import legend_below, line_style, new_figure, plain_axes, save_figure
from videogn.system.sizes import format_size

#: Keys of a row that tell lines apart; those that do not differ go into the title.
_LINES = ("model", "crop", "precision", "memory_mode", "norm")
#: Letters of a line of a label.
_LABEL = 70
#: Colour of a line that is not of one norm.
_SEVERAL = "0.3"


def plot_frontier(
    rows: Sequence[Mapping[str, Any]], memory: int, path: str | Path, colours: Mapping[str, str] | None = None
) -> Path:
    """Draw the largest batch of every clip length: a line for each network, crop, number format, memory mode and norm.

    Lines that coincide (norms often need the same memory) are drawn once, with all their names.

    Args:
        rows: Rows of `videogn plan --json`, with `largest_batch`.
        memory: Bytes that the largest batches fit in.
        path: The PNG file.
        colours: Norm of a row -> its colour in the other figures of a page; a line of several norms is grey. By
            default every line has a colour of its own.

    Returns:
        `path`.
    """
    fixed = [key for key in _LINES if len({row[key] for row in rows}) == 1]
    names: dict[tuple[tuple[int, int], ...], list[str]] = {}
    norms: dict[tuple[tuple[int, int], ...], set[str]] = {}
    for line in dict.fromkeys(tuple(row[key] for key in _LINES) for row in rows):
        of_line = [row for row in rows if tuple(row[key] for key in _LINES) == line]
        points = tuple(sorted({(row["clip_length"], row["largest_batch"]) for row in of_line}))
        name = ", ".join(_named(key, v) for key, v in zip(_LINES, line, strict=True) if key not in fixed)
        names.setdefault(points, []).append(name)
        norms.setdefault(points, set()).add(line[-1])
    figure = new_figure(6.4, 4.2)
    axes = figure.subplots()
    for number, (points, alike) in enumerate(names.items()):
        style = line_style(number)
        if colours is not None:
            norm, *others = norms[points]
            style["color"] = _SEVERAL if others else colours.get(norm, _SEVERAL)
        label = textwrap.fill(" = ".join(filter(None, alike)), _LABEL)
        axes.plot(*zip(*points, strict=True), **style, label=label)
        for length, batch in points:
            axes.annotate(str(batch), (length, batch), xytext=(6, 4), textcoords="offset points", fontsize="small")
    _label_axes(axes, sorted({row["clip_length"] for row in rows}), [row["largest_batch"] for row in rows])
    about = [_named(key, rows[0][key]) for key in fixed]
    axes.set_title(f"{', '.join(about)}: training in {format_size(memory)}".lstrip(": "), fontsize="medium")
    if any(any(alike) for alike in names.values()):
        legend_below(figure, axes.lines, columns=1)
    return save_figure(figure, path)


def _named(key: str, value: Any) -> str:
    if key == "crop":
        return f"crop {value} pixels"
    if key == "model":
        return re.split("[.:]", value)[-1]  # of a network from another package
    return f"{value}-bit" if value == "32" else str(value)


def _label_axes(axes: Axes, lengths: Sequence[int], batches: Sequence[int]) -> None:
    axes.set_xlabel("clip length (frames)")
    axes.set_ylabel("largest batch (clips)")
    axes.set_xscale("log", base=2)
    axes.set_xlim(lengths[0] / 1.2, lengths[-1] * 1.35)  # room for the last numbers
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yscale("symlog", base=2, linthresh=1)  # a logarithm that has a place for 0: not one clip fits
    axes.set_ylim(min(batches) / 1.5 if min(batches) > 1 else -0.2, max(*batches, 1) * 1.5)
    axes.yaxis.set_major_formatter(ScalarFormatter())
    plain_axes(axes)
