"""The picture of accuracy by class: a line for each class, a column for each setting and norm."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from videogn.report.layout import Layout
from videogn.report.style import new_figure, save_figure
from videogn.study.cell_files import CellResult
from videogn.system.displayable import short_name

#: Classes that are shown; more cannot be read.
_MOST = 40
#: Columns whose cells have room for a number.
_MOST_NUMBERS = 14
#: Letters of a class's name that are shown, and of a line of a column's label.
_NAME = 28
#: Height of a letter of a column's label, which stands upright, inches.
_LETTER = 0.075


def plot_classes(layout: Layout, path: Path) -> tuple[Path | None, str]:
    """Draw the accuracy of each class, those with the largest differences between columns first.

    Args:
        layout: The section.
        path: The PNG file.

    Returns:
        `path`, or None where the classes are not known; and a caption.
    """
    places = [(row, norm) for row in layout.rows for norm in layout.norms if layout.results(row, norm)]
    found = [class_accuracies(layout.results(*place)) for place in places]
    names = list(dict.fromkeys(name for one in found for name in one))
    if not names:
        return None, ""
    # (classes, columns), per cent; a class that no video of a test shows is not a number
    shares = np.array([[one.get(name, np.nan) for one in found] for name in names])
    known = np.where(np.isnan(shares), 0.0, shares)
    order = np.argsort(-(known.max(axis=1) - known.min(axis=1)), kind="stable")[:_MOST]
    settings = [layout.label(row) for row, _ in places] if len(layout.rows) > 1 else [""] * len(places)
    labels = [
        f"{layout.labels[norm]}, {setting}".strip(" ,") for (_, norm), setting in zip(places, settings, strict=True)
    ]
    columns = [textwrap.fill(label, _NAME) for label in labels]
    below = _LETTER * min(max(map(len, labels)), _NAME)
    figure = new_figure(max(3.4 + 0.52 * len(places), 5.0), 0.8 + below + 0.26 * len(order))
    axes = figure.subplots()
    image = axes.imshow(shares[order], cmap="viridis", vmin=0, vmax=100, aspect="auto", interpolation="nearest")
    figure.colorbar(image, ax=axes, label="top-1 accuracy (%)", shrink=0.8)
    axes.set_xticks(range(len(places)), columns, rotation=90, fontsize="small", parse_math=False)
    short = [short_name(names[number], _NAME) for number in order]
    axes.set_yticks(range(len(order)), short, fontsize="small", parse_math=False)
    if len(places) <= _MOST_NUMBERS:
        for line, column in np.argwhere(~np.isnan(shares[order])):
            share = shares[order][line, column]
            colour = "black" if share > 60 else "white"
            axes.text(column, line, f"{share:.0f}", ha="center", va="center", color=colour, fontsize="small")
    some = "" if len(order) == len(names) else f" The {len(order)} of {len(names)} classes that differ most."
    return save_figure(figure, path), f"Accuracy of each class (%): {layout.section.title}.{some}"


def class_accuracies(results: Mapping[int, CellResult]) -> dict[str, float]:
    """Mean over the seeds of the top-1 accuracy of each class, per cent; a class without videos is left out."""
    values: dict[str, list[float]] = {}
    for result in results.values():
        for entry in result.test["per_class"]:
            if entry.get("top1") is not None:
                values.setdefault(str(entry["class"]), []).append(100 * float(entry["top1"]))
    return {name: float(np.mean(shares)) for name, shares in values.items()}
