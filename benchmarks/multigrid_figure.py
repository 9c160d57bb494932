"""The figure of docs/results/multigrid.md, from the studies that it shows.

python benchmarks/multigrid_figure.py STUDY... --out docs/results/multigrid/accuracy.png
"""

from __future__ import annotations

import argparse
from pathlib import Path

from videogn.report.leaderboard import leaderboard_rows
from videogn.report.style import COLOURS, legend_below, new_figure, plain_axes, save_figure
from videogn.study.study_files import read_study

#: (Schedule, scaling) -> what the legend says, and the marker.
_KINDS = {
    ("constant", "linear"): ("clips of one shape", "o"),
    ("multigrid", "linear"): ("multigrid", "s"),
    ("multigrid", "sqrt"): ("multigrid, scaling sqrt", "^"),
}


def main() -> None:
    """Draw one point a cell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    rows = [row for row in leaderboard_rows(map(read_study, options.studies)) if row["top1"] is not None]
    figure = new_figure(7, 4)
    axes = figure.subplots()
    plain_axes(axes)
    for norm, colour in zip(("bn", "gn"), COLOURS, strict=False):
        for kind, (name, marker) in _KINDS.items():
            points = [row for row in rows if row["norm"] == norm and (row["schedule"], row["scaling"]) == kind]
            steps, top1 = [row["steps"] for row in points], [row["top1"] for row in points]
            axes.plot(steps, top1, marker, color=colour, markerfacecolor="none", label=f"{norm.upper()}, {name}")
    axes.axhline(12.5, color="0.6", linewidth=1)
    axes.text(730, 13.5, "chance", color="0.4", ha="right")
    axes.set(xlabel="optimiser steps", ylabel="test top-1 (%), 4 clips", xlim=(0, 740), ylim=(0, 100))
    legend_below(figure, axes.get_lines()[:6], columns=2)
    save_figure(figure, options.out)


if __name__ == "__main__":
    main()
