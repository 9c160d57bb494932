"""The picture of a training run: losses, accuracies and the learning rate against the epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from videogn.report.style import BLUE, GREEN, PURPLE, VERMILLION, new_figure, plain_axes, save_figure
from videogn.training.history import History

#: Points on a line are useful only while they can be told apart.
_MOST_MARKERS = 40
_COLOURS = (VERMILLION, GREEN, PURPLE)


def plot_training(history: History, path: str | Path) -> Path:
    """Draw the training loss, the values of the validations, the best of them marked, and the learning rate.

    Args:
        history: The training run.
        path: The PNG file.

    Returns:
        `path`.
    """
    shares = history.accuracies[: len(_COLOURS)]
    heights = [3, 3, 1.2] if shares else [3, 1.2]
    figure = new_figure(7.0, sum(heights))
    panels: list[Axes] = list(figure.subplots(len(heights), 1, sharex=True, height_ratios=heights))
    trained = [each.epoch for each in history.stretches]
    _plot(panels[0], trained, [each.loss for each in history.stretches], "train/loss", BLUE)
    _plot_values(panels[0], history, "val/loss", VERMILLION)
    panels[0].set_ylabel("loss")
    for name, colour in zip(shares, _COLOURS, strict=False):
        _plot_values(panels[1], history, name, colour, scale=100.0)
    if shares:
        panels[1].set_ylabel("accuracy (%)")
        panels[1].set_ylim(bottom=0)
        _mark_best(panels[1], history, shares[0])
    panels[-1].plot(trained, [each.rate for each in history.stretches], color="0.3")
    panels[-1].set_ylabel("learning rate")
    panels[-1].set_ylim(bottom=0)
    panels[-1].set_xlabel("epoch")
    panels[-1].set_xlim(left=0)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels:
        plain_axes(axes)
    for axes in panels[:-1]:
        if axes.lines:
            axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.align_ylabels(panels)
    return save_figure(figure, path)


def _plot_values(axes: Axes, history: History, name: str, colour: str, scale: float = 1.0) -> None:
    points = [(each.epoch, scale * each.values[name]) for each in history.validations if name in each.values]
    if points:
        epochs, values = zip(*points, strict=True)
        _plot(axes, epochs, values, name, colour)


def _plot(axes: Axes, x: Sequence[float], y: Sequence[float], name: str, colour: str) -> None:
    marker = "o" if len(x) <= _MOST_MARKERS else ""
    axes.plot(x, y, color=colour, marker=marker, markersize=3.5, linewidth=1.4, label=name)


def _mark_best(axes: Axes, history: History, name: str) -> None:
    best = history.best(name)
    if best is not None:
        value = 100 * best.values[name]
        label = f"best {name}:\n{value:.1f} %, epoch {round(best.epoch, 2):g}"
        axes.plot([best.epoch], [value], "o", markersize=10, markerfacecolor="none", color="black", label=label)
