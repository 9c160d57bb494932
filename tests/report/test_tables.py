"""Tables: the shape of Table 8, differences, what is missing."""

from __future__ import annotations

import numpy as np
import pytest
from studies import NORMS, make_cells, write_study

from videogn.report import markdown_tables
from videogn.report.clip_counts import ClipFiles
from videogn.report.contrasts import contrast
from videogn.report.differences import differences, mcnemar_table
from videogn.report.layout import Layout
from videogn.report.paper import table_8
from videogn.report.statistics import mcnemar_p, t_interval
from videogn.report.tables import accuracy_table, grouped_norms
from videogn.study.budget import Budget
from videogn.study.cell import Cell, Norm, Section
from videogn.study.cell_files import CellResult

SETTINGS = ((32, 2, 8), (32, 2, 4), (64, 1, 4))
PAPER = {
    ("bn", 0): (73.3, 90.7), ("gn", 0): (73.0, 90.6), ("bn", 1): (72.1, 90.0), ("gn", 1): (72.8, 90.6),
    ("bn", 2): (73.3, 90.8), ("gn", 2): (74.5, 91.7),
}  # fmt: skip


def _result(tmp_path, cell, top1, top5, classes=400):
    test = {
        "over_all": {"top1": None if top1 is None else top1 / 100, "top5": top5 / 100, "videos": 20},
        "k_of_top5": min(5, classes),
        "per_class": [{}] * classes,
        "protocol": {"clips": 10, "starts": "nonlocal"},
    }
    return CellResult(cell, "f", (), test, {}, {}, 1, {}, (), tmp_path / cell.name)


def _layout(results, cells=None):
    return Layout(Section("s", "", tuple(cells or results)), results)


def _paper_results(tmp_path, seeds=(0,), classes=400):
    cells = {
        (norm.name, row, seed): Cell(norm, *setting, 1, Budget("epochs", 100), seed=seed)
        for seed in seeds
        for row, setting in reversed(list(enumerate(SETTINGS)))
        for norm in NORMS
    }
    return {cell: _result(tmp_path, cell, *PAPER[name, row], classes) for (name, row, _), cell in cells.items()}


def test_it_is_shaped_like_table_8(tmp_path):
    """With the paper's numbers in it, it is the paper's table."""
    table = accuracy_table(_layout(_paper_results(tmp_path)))
    assert (table.head, table.rows) == (table_8().head, table_8().rows)
    assert "Top-1 / top-5 accuracy (%) over 20 test videos. Seed 0 only" in table.caption


def test_top_5_of_five_classes_is_left_out(tmp_path):
    table = accuracy_table(_layout(_paper_results(tmp_path, classes=5)))
    assert table.rows[0] == ["32 x 2", "8", "73.3", "73.0"]
    assert table.caption.startswith("Top-1 accuracy (%)")
    assert accuracy_table(_layout(_paper_results(tmp_path, classes=6))).rows[0][2] == "73.3 / 90.7"


def test_seeds_are_averaged_with_their_interval(tmp_path):
    cells = [Cell(NORMS[1], 8, 2, 8, 1, Budget("epochs", 9), seed=seed) for seed in range(4)]
    results = {cell: _result(tmp_path, cell, top1, 99) for cell, top1 in zip(cells, (70, 72, 74), strict=False)}
    assert accuracy_table(_layout(results)).rows == [["8 x 2", "8", "72.0 [66.8, 76.7] / 99.0"]]
    table = accuracy_table(_layout(results, cells))
    assert table.rows == [["8 x 2", "8", "72.0 [66.8, 76.7] / 99.0 (n = 3)"]]
    assert "n is said where not all seeds are finished" in table.caption


def test_missing_cells_are_dashes(tmp_path):
    results = _paper_results(tmp_path)
    cells = list(results)
    del results[cells[0]]
    results[cells[1]] = _result(tmp_path, cells[1], None, 0)  # tested in part
    assert accuracy_table(_layout(results, cells)).rows[2] == ["64 x 1", "4", "–", "–"]
    assert accuracy_table(_layout({}, cells)).caption == "No cell is finished."


def test_other_axes_become_part_of_the_rows(tmp_path):
    cells = [
        Cell(norm, 8, 2, 4, 1, Budget("epochs", 9), memory_mode=mode, init=init and f"{init}-{norm.name}")
        for mode in ("plain", "lean") for init in (None, "weights") for norm in NORMS
    ]  # fmt: skip
    layout = _layout({cell: _result(tmp_path, cell, 50, 90) for cell in cells})
    table = accuracy_table(layout)
    assert table.head == ["clip length x interval", "batch size", "memory mode", "initial weights", "BN", "GN"]
    assert [row[2:4] for row in table.rows] == [
        ["plain", "random"], ["plain", "BN: weights-bn; GN: weights-gn"],
        ["lean", "random"], ["lean", "BN: weights-bn; GN: weights-gn"],
    ]  # fmt: skip
    assert all("–" not in row for row in table.rows)


def test_groups_are_found():
    norms = [Norm("bn"), *(Norm("gn", (("groups", groups),)) for groups in (8, 32)), Norm("ws+gn", (("groups", 4),))]
    layout = Layout(Section("s", "", make_cells(norms=norms)), {})
    assert grouped_norms(layout) == [("gn", "groups", {32: norms[2], 8: norms[1]})]


def test_markdown_for_the_terminal(tmp_path):
    study = write_study(tmp_path / "s", sections=[Section("a", "", make_cells()[:12]), Section("b", "", make_cells())])
    text = markdown_tables(study)
    assert (
        text.count("| clip length x interval | batch size | BN | GN |\n| --- | --- | ---: | ---: |\n| 8 x 2 | 8 |") == 2
    )
    assert text.startswith("a\n\n|")
    assert "\nb\n\n|" in text


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("made") / "study", plan=False)


@pytest.fixture(scope="module")
def layout(study):
    return Layout(study.sections[0], study.results)


def test_differences_between_norms(layout):
    files = ClipFiles()
    for one in differences(layout, files).norms:
        assert one.name == "BN − GN"
        row, found = one.row, one.contrast
        assert one.before == row
        bn, gn = (layout.results(row, norm) for norm in layout.norms)
        values = [100 * (bn[s].test["over_all"]["top1"] - gn[s].test["over_all"]["top1"]) for s in (0, 1, 2)]
        assert found.over_seeds.mean == pytest.approx(np.mean(values))
        assert found.over_seeds.half_width == pytest.approx(t_interval(values).half_width)
        assert found.over_videos.mean == pytest.approx(np.mean(values))  # from the clip files
        assert found.over_videos.low <= found.over_videos.mean <= found.over_videos.high
        first, second = files.hits(bn[1]).correct, files.hits(gn[1]).correct
        b, c = int((first & ~second).sum()), int((~first & second).sum())
        test = found.tests[1]
        assert (test.seed, test.only_first, test.only_second, test.p) == (1, b, c, mcnemar_p(b, c))
        assert b - c == round(2 * values[1])  # 200 videos


def test_batches_and_clips(layout):
    found = differences(layout, ClipFiles())
    assert [(e.row.clip.length, e.before.batch_size, e.row.batch_size, e.name) for e in found.batches] == [
        (length, 8, 2, name) for length in (8, 16) for name in ("BN", "GN", "BN − GN")
    ]
    bn, gn, both = (e.contrast for e in found.batches[:3])
    assert both.over_seeds.mean == pytest.approx(bn.over_seeds.mean - gn.over_seeds.mean)
    assert both.tests == ()
    settings = [(e.row.clip.length, e.row.batch_size, e.before.clip.length, e.before.batch_size) for e in found.clips]
    pairs = set(settings)
    assert pairs == {(16, 8, 8, 8), (16, 4, 8, 4), (16, 2, 8, 2), (16, 4, 8, 8), (16, 2, 8, 4)}


def test_only_common_seeds_are_compared(layout):
    bn, gn = (layout.results(layout.rows[0], norm) for norm in layout.norms)
    found = contrast([(1, {0: bn[0], 2: bn[2]}), (-1, {1: gn[1], 2: gn[2]})], ClipFiles())
    assert (found.over_seeds.count, [test.seed for test in found.tests]) == (1, [2])
    assert found.best[1] == "videos"
    assert contrast([(1, {0: bn[0]}), (-1, {1: gn[1]})], ClipFiles()) is None


def test_without_clip_files_there_is_no_interval_over_videos(tmp_path):
    cells = make_cells(batches=(8,))
    study = write_study(tmp_path / "s", sections=[Section("s", "", cells)], without_clips=cells[:1], plan=False)
    layout = Layout(study.sections[0], study.results)
    norms = differences(layout, ClipFiles()).norms
    found = {one.row.clip.length: one.contrast for one in norms}
    assert found[8].over_videos is None
    assert found[16].over_videos is not None
    assert mcnemar_table(layout, norms).rows[0][3:] == ["–"] * 3
