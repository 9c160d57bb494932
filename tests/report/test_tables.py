"""Tables and figures from result files."""

from __future__ import annotations

import subprocess
import sys

import pytest
from PIL import Image

from videogn.report import markdown_table, plot_validation_error, write_report
from videogn.study import Cell, CellResult


def _result(norm, length, interval, batch, top1, top5, seed=0, failed=0):
    test = {
        "over_all": {"top1": top1, "top5": top5, "videos": 20},
        "k_of_top5": 5,
        "per_clip_top1": top1,
        "counts": {"failed": failed},
        "protocol": {"clips": 10, "starts": "nonlocal"},
    }
    return CellResult(Cell(norm, length, interval, batch, seed), "r", (0.9, 1 - top1), test, 60.0, ())


# The GN paper's Table 8.
TABLE_8 = [
    _result("bn", 32, 2, 8, 0.733, 0.907),
    _result("gn", 32, 2, 8, 0.730, 0.906),
    _result("bn", 32, 2, 4, 0.721, 0.900),
    _result("gn", 32, 2, 4, 0.728, 0.906),
    _result("bn", 64, 1, 4, 0.733, 0.908),
    _result("gn", 64, 1, 4, 0.745, 0.917),
]


@pytest.mark.parametrize("results", [TABLE_8, [*TABLE_8[2:], *TABLE_8[:2]]])
def test_it_is_shaped_like_table_8(results):
    assert markdown_table(results) == (
        "| clip length x interval | batch size | BN | GN |\n"
        "| --- | --- | --- | --- |\n"
        "| 32 x 2 | 8 | 73.3 / 90.7 | 73.0 / 90.6 |\n"
        "| 32 x 2 | 4 | 72.1 / 90.0 | 72.8 / 90.6 |\n"
        "| 64 x 1 | 4 | 73.3 / 90.8 | 74.5 / 91.7 |\n"
    )


def test_a_missing_cell_is_a_dash():
    assert "| 32 x 2 | 4 | - | 72.8 / 90.6 |" in markdown_table([*TABLE_8[:2], TABLE_8[3]])


def test_seeds_are_averaged_with_their_spread():
    results = [_result("gn", 8, 2, 8, top1, 1.0, seed) for seed, top1 in enumerate((0.70, 0.80, 0.90))]
    assert "| 8 x 2 | 8 | 80.0 ± 10.0 / 100.0 |" in markdown_table(results)


def test_the_report_names_its_conditions(tmp_path):
    path = write_report([*TABLE_8, _result("gn", 64, 1, 2, 0.5, 0.6, failed=3)], tmp_path, "A title")
    text = path.read_text()
    assert text.startswith("# A title\n")
    assert "10 clips a video\n(nonlocal), seed 0" in text
    assert "3 videos could not be decoded and count as wrong" in text
    assert "![validation error](validation_error.png)" in text
    assert markdown_table(TABLE_8[:2]).splitlines()[2] in text


@pytest.mark.parametrize("results", [TABLE_8, TABLE_8[:1]], ids=["six cells", "one cell"])
def test_the_figure_is_a_picture(tmp_path, results):
    path = plot_validation_error(results, tmp_path / "curves.png")
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 300
    assert [entry.name for entry in tmp_path.iterdir()] == ["curves.png"]


def test_a_cell_without_a_curve_is_left_out_of_the_figure(tmp_path):
    without = CellResult(TABLE_8[0].cell, "r", (), TABLE_8[0].test, 1.0, ())
    assert plot_validation_error([without, *TABLE_8[1:]], tmp_path / "curves.png").is_file()


def test_reporting_does_not_need_torch():
    code = "import sys, videogn.report; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
