"""What all figures share."""

from __future__ import annotations

import pytest
from matplotlib.lines import Line2D

from videogn.report.style import legend_below, panel_grid, save_figure

LABELS = (["BN", "GN"], ["BN", "GN, groups 32", "rms_group_norm (ee23ba)"] * 2, ["my_batch_renorm, momentum 0.05"] * 5)


@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("panels", [1, 2, 5])
def test_a_legend_is_no_wider_than_its_figure(labels, panels):
    figure, _ = panel_grid(panels, height=2.9)
    legend_below(figure, [Line2D([], [], label=label) for label in labels], columns=6)
    figure.canvas.draw()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.width


def test_names_are_no_mathematics(tmp_path):
    """Wherever they stand in a figure; the numbers of a logarithmic scale are still powers."""
    figure, (axes,) = panel_grid(1, height=3)
    for text in ("$_{", r"\frac{$x$"):
        axes.plot([1, 1e6], [1, 2], label=text)
        axes.annotate(text, (1, 1))
        figure.text(0, 0, text)
    axes.set(xlabel="$_{", ylabel="$_{", xscale="log")
    axes.set_yticks([1, 2], ["$_{", "$x$"])
    axes.legend()
    figure.suptitle("$_{")
    save_figure(figure, tmp_path / "a.png")
    powers = [label for label in axes.get_xticklabels() if label.get_text().startswith("$")]
    assert powers
    assert all(label.get_parse_math() for label in powers)
