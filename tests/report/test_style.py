"""What all figures share."""

from __future__ import annotations

import pytest
from matplotlib.lines import Line2D

from videogn.report.style import legend_below, panel_grid

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
