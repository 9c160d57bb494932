"""The figure of feature percentiles is a PNG, and a wrong file is named."""

from __future__ import annotations

import math

import pytest

from videogn.report.percentile_figure import _read, plot_percentiles


def test_a_figure_is_drawn(tmp_path):
    source = tmp_path / "percentiles_blocks.5.csv"
    rows = [f"{epoch},{10 * epoch},{-epoch},0.5,{epoch},\n" for epoch in range(1, 5)]
    source.write_text("epoch,step,p1,p20,p99,p99.9\n" + "".join(rows))
    assert plot_percentiles(source, tmp_path / "new" / "figure.png") == tmp_path / "new" / "figure.png"
    assert (tmp_path / "new" / "figure.png").read_bytes().startswith(b"\x89PNG")
    epochs, curves = _read(source)
    assert epochs == [1, 2, 3, 4]
    assert list(curves) == [99.9, 99, 20, 1]  # the legend is in the order of the lines
    assert curves[1] == [-1, -2, -3, -4]
    assert all(math.isnan(value) for value in curves[99.9])


@pytest.mark.parametrize(
    ("text", "message"), [("epoch,step\n1,2\n", "no columns of percentiles"), ("epoch,p1\n", "no rows")]
)
def test_wrong_files(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        plot_percentiles(tmp_path / "a.csv", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
