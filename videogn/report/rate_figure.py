"""The figure of a learning-rate range test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videogn.report.style import BLUE, VERMILLION, new_figure, plain_axes, save_figure


def plot_rates(
    rates: Sequence[float], losses: Sequence[float], smooth: Sequence[float], chosen: int | None, png_path: str | Path
) -> Path:
    """Draw the loss of every step against its learning rate.

    Args:
        rates: Base learning rate of each step, as --model.lr takes it.
        losses: Loss of each step.
        smooth: The same without noise; fewer steps where the loss was not finite.
        chosen: Step whose rate is suggested, or None.
        png_path: The PNG file.

    Returns:
        `png_path`.
    """
    figure = new_figure(5.6, 3.4)
    axes = figure.subplots()
    axes.plot(rates[: len(losses)], losses, ".", color="0.7", markersize=4, label="each step")
    axes.plot(rates[: len(smooth)], smooth, color=BLUE, linewidth=1.8, label="smoothed")
    if chosen is not None:
        label = f"--model.lr {rates[chosen]:.2g}"
        axes.plot(rates[chosen], smooth[chosen], "o", color=VERMILLION, markersize=7, label=label)
    axes.set_xscale("log")
    top = max(smooth[0], max(smooth[: (chosen or 0) + 1]))
    low = min(smooth)
    axes.set_ylim(low - 0.15 * (top - low + 0.1), top + 0.6 * (top - low + 0.1))  # where it diverges is out of sight
    axes.set_xlabel("base learning rate, --model.lr")
    axes.set_ylabel("training loss")
    plain_axes(axes)
    axes.legend(frameon=False)
    return save_figure(figure, png_path)
