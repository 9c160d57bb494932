"""The figure of `docs/results/small-batches.md`, from what small_batches.py has written.

python benchmarks/small_batches_figure.py small-batches-8 small-batches-2 FIGURE.png
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes

from videogn.report.style import BLUE, GREEN, VERMILLION, panel_grid, save_figure, title_panel

#: What a network was trained with: its norm, the clips of a batch -> label, colour and marker.
GROUPS = {
    ("bn", 8): ("BN, batches of 8", BLUE, "o"),
    ("bn", 2): ("BN, batches of 2", VERMILLION, "s"),
    ("sub_bn", 8): ("BN over 4 x 2 of a batch of 8", GREEN, "D"),
    ("gn", 8): ("GN", "0.4", ""),
}
#: What `small_batches.py` measures of a network.
Networks: TypeAlias = Sequence[dict[str, Any]]


def draw(results: Networks, out: Path) -> None:
    """Draw what statistics do to accuracy, how far they are off, and what they do to the gradient."""
    figure, (test, train, distance, noise) = panel_grid(4, height=3.0, across=2)
    sizes = ("8", "4", "2")
    on_test = {"all": "precise", "running": "running", **{size: f"batch {size}" for size in sizes}}
    on_train = {"running": "train running", **{size: f"train batch {size}" for size in sizes}}
    _lines(test, results, list(on_test), lambda one, name: 100 * one["top1"][on_test[name]])
    _lines(train, results, list(on_train), lambda one, name: 100 * one["top1"][on_train[name]])
    batch_norms = [one for one in results if one["norm"] != "gn"]
    _lines(distance, batch_norms, ["running", *sizes], lambda one, name: one["distance"][name]["mean"])
    # A norm over sub-batches of 2 sees 2 at once, however many stand together.
    whole = [one for one in results if one["norm"] == "bn"]
    _lines(noise, whole, list(sizes), lambda one, name: 100 * _last(one["gradient"])[name]["division"])
    for axes, title, label in (
        (test, "Accuracy on test videos", "top-1 (%)"),
        (train, "Accuracy on training clips", "top-1 (%)"),
        (distance, "Distance of a channel's mean from that over all training clips", "standard deviations"),
        (noise, "Variance of a step's gradient that comes from the division", "% of the variance"),
    ):
        title_panel(axes, title)
        axes.set_ylabel(label)
        axes.set_ylim(0, None)
        axes.set_xlabel("statistics of ... clips" if axes is not noise else "clips that BN sees at once")
    test.legend(frameon=False, fontsize="small", loc="lower left")
    out.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, out)


def _last(of_checkpoints: dict[str, Any]) -> Any:
    return of_checkpoints[max(of_checkpoints)]


def _lines(axes: Axes, results: Networks, names: list[str], value: Callable[[dict[str, Any], str], float]) -> None:
    """A line of means for each group of networks, and a small dot for each network."""
    for (norm, batch), (label, colour, marker) in GROUPS.items():
        of_group = [one for one in results if (one["norm"], one["batch"]) == (norm, batch)]
        if not of_group:
            continue
        if norm == "gn":
            mean = np.mean([value(one, "running") for one in of_group])
            axes.axhline(mean, color=colour, linestyle="--", linewidth=1, label=label)
            continue
        values = np.array([[value(one, name) for name in names] for one in of_group])
        axes.plot(names, values.mean(0), color=colour, marker=marker, label=label)
        for row in values:
            axes.plot(names, row, color=colour, marker=".", linestyle="", alpha=0.4, markersize=4)


def main() -> None:
    """Read the networks of both studies and draw them; those tested with precise statistics are the same networks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", help="Folders that small_batches.py has written.")
    parser.add_argument("figure", type=Path)
    options = parser.parse_args()
    files = [file for folder in options.results for file in sorted(folder.glob("*.json")) if "precise" not in file.name]
    draw([json.loads(file.read_text()) for file in files], options.figure)


if __name__ == "__main__":
    main()
