"""Two studies against one another: which cells match, what moved, and intervals over what there is."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
import yaml
from studies import make_cells, write_study
from tested_folders import write_rows

from videogn.report.comparison.studies import NONE, PAIRED, UNPAIRED, VIDEOS, compare_two, mean
from videogn.report.comparison.study_document import matching_words, moved_words, settings_table, write_study_comparison
from videogn.report.statistics import t_interval, welch_interval
from videogn.study.budget import Budget
from videogn.study.cell import Section
from videogn.study.cell_files import RESULT_FILE
from videogn.study.study_files import cell_folder, read_study

CLIPS = ((8, 2),)


def _study(folder, *, options=None, **axes):
    """A study of one clip; `options` are the resolved options of every cell, nested."""
    cells = make_cells(**{"clips": CLIPS, "batches": (8, 2), **axes})
    study = write_study(folder, sections=[Section("one budget", "", cells)], plan=False)
    for cell in cells:
        if options is not None:
            (cell_folder(folder, cell) / "config.yaml").write_text(yaml.safe_dump(options))
    return study


def _set_top1(folder, cell, value):
    path = cell_folder(folder, cell) / RESULT_FILE
    content = json.loads(path.read_text())
    content["test"]["over_all"]["top1"] = value
    path.write_text(json.dumps(content))


def test_paired_seeds_and_what_moved(tmp_path):
    base = {"model": {"lr": 0.1, "norm": "bn", "optimizer": None}, "trainer": {"default_root_dir": "/x"}}
    other = {
        "model": {"lr": 0.2, "norm": "gn", "optimizer": {"class_path": "AdamW"}, "new_option": 0.5},
        "trainer": {"default_root_dir": "/y"},
    }
    a, b = _study(tmp_path / "a", options=base), _study(tmp_path / "b", options=other, seeds=(1, 2, 3))
    for cell in b.cells:
        if cell.batch_size == 2 and cell.norm.name == "gn":
            _set_top1(b.folder, cell, 0.5 + 0.01 * cell.seed)
    found = compare_two(a, read_study(b.folder))
    assert found.dropped == ()
    assert [(axis.name, axis.only_first, axis.only_second) for axis in found.axes] == [("seed", ("0",), ("3",))]
    setting = next(one for one in found.settings if one.name == "GN, 8 x 2, batch 2")
    assert (setting.over, list(setting.first), list(setting.second)) == (PAIRED, [1, 2], [1, 2])
    expected = t_interval([51 - setting.first[1], 52 - setting.first[2]])
    assert (setting.change.mean, setting.change.low) == pytest.approx((expected.mean, expected.low))
    # Places are no settings, and the norm is the grid's; the cells of two common seeds are compared.
    assert {(one.name, one.first, one.second, one.cells) for one in found.moved} == {
        ("model.lr", "0.1", "0.2", 8),
        ("model.optimizer", "null", "–", 8),
        ("model.optimizer.class_path", "–", "AdamW", 8),
    }
    assert found.alone == ({}, {"model.new_option": "0.5"})
    assert "model.lr: 0.1 in A, 0.2 in B (8 pairs of cells)" in moved_words(found)


def test_a_budget_that_moved_as_a_whole(tmp_path):
    a = _study(tmp_path / "a", seeds=(0,))
    b = _study(tmp_path / "b", seeds=(0,), batches=(8, 4), budget=Budget("epochs", 12))
    found = compare_two(a, b)
    assert found.dropped == ("budget",)
    assert [one.name for one in found.settings] == ["BN, 8 x 2, batch 8", "GN, 8 x 2, batch 8"]
    assert moved_words(found)[0] == "budget: 24 epochs in A, 12 epochs in B"
    assert [len(names) for names in found.unmatched] == [2, 2]
    assert matching_words(found)[0].startswith("2 finished cells of A have no counterpart: bn_8x2_batch2x4_24epochs")
    # One seed, and no predictions to pair.
    assert {one.over for one in found.settings} == {NONE}
    assert all(one.change.low is None for one in found.settings)


def test_steps_of_other_sizes_match(tmp_path):
    """step_clips 16 in the place of 8 changes `accumulate` of every batch size."""
    a = _study(tmp_path / "a", seeds=(0,))
    cells = tuple(dataclasses.replace(cell, accumulate=2 * cell.accumulate) for cell in a.cells)
    b = write_study(tmp_path / "b", sections=[Section("steps of 16", "", cells)], plan=False)
    found = compare_two(a, b)
    assert found.dropped == ("clips of a step",)
    assert len(found.settings) == 4


@pytest.mark.parametrize("seeds", [(0,), (0, 1)])
def test_the_means_are_those_of_the_change(tmp_path, seeds):
    """One study has more seeds: the difference of the two columns is the third."""
    found = compare_two(_study(tmp_path / "a", seeds=(0, 1, 2)), _study(tmp_path / "b", seeds=seeds))
    for one in found.settings:
        assert list(one.first) == list(one.second) == list(seeds)
        assert one.change.mean == pytest.approx(mean(one.second) - mean(one.first))
    assert "(n = 3)" not in "".join(cell for row in settings_table(found).rows for cell in row)


def test_unpaired_seeds(tmp_path):
    a, b = _study(tmp_path / "a", seeds=(0, 1)), _study(tmp_path / "b", seeds=(2, 3, 4))
    found = compare_two(a, b)
    one = found.settings[0]
    assert one.over == UNPAIRED
    assert one.change == welch_interval(list(one.first.values()), list(one.second.values()))


def test_welchs_interval_by_hand():
    # Means 2 and 7; variances 2 / 2 and 4 / 3 of the means; (7 / 3)^2 / (1 + (4 / 3)^2 / 2) = 2.882 degrees of freedom,
    # between which t(0.975, 2) = 4.3027 and t(0.975, 3) = 3.1824 lie.
    interval = welch_interval([1.0, 3.0], [5.0, 7.0, 9.0])
    assert interval.mean == 5
    assert 3.1824 < interval.half_width / math.sqrt(7 / 3) < 3.4
    # Of equal numbers and variances it is Student's with 2 (n - 1) degrees of freedom: t(0.975, 2) = 4.3027.
    equal = welch_interval([1.0, 3.0], [2.0, 4.0])
    assert equal.half_width == pytest.approx(4.302653 * math.sqrt(2), abs=1e-4)
    assert welch_interval([1.0], [2.0, 3.0]).low is None
    assert welch_interval([1.0, 1.0], [2.0, 2.0]).low is None


def test_one_seed_has_an_interval_over_the_videos(tmp_path):
    studies = [_study(tmp_path / name, seeds=(0,), batches=(8,)) for name in "ab"]
    for study, best in zip(studies, ("red", "blue"), strict=True):
        rows = [("red", "red")] * 20 + [("green", best)] * 10 + [("blue", best)] * 10
        write_rows(cell_folder(study.folder, study.cells[0]), rows, place=f"{study.folder}/val", root=str(study.folder))
    found = compare_two(*studies)
    by_name = {one.name: one for one in found.settings}
    one = by_name["BN, 8 x 2, batch 8"]
    assert one.over == VIDEOS
    assert one.change.mean == pytest.approx(25)
    half = 1.96 * 100 * math.sqrt(0.25 * 0.75 / 40)
    assert [one.change.low, one.change.high] == pytest.approx([25 - half, 25 + half], abs=2.5)
    assert by_name["GN, 8 x 2, batch 8"].over == NONE


def test_the_tests_moved_too(tmp_path):
    a, b = _study(tmp_path / "a", seeds=(0,)), _study(tmp_path / "b", seeds=(0,))
    for cell in b.cells:
        path = cell_folder(b.folder, cell) / RESULT_FILE
        content = json.loads(path.read_text())
        content["test"]["protocol"]["clips"] = 30
        path.write_text(json.dumps(content))
    found = compare_two(a, read_study(b.folder))
    assert [(one.name, one.first, one.second, one.cells) for one in found.moved_tests] == [
        ("protocol.clips", "10", "30", 4)
    ]


def test_files_and_refusals(tmp_path):
    a, b = _study(tmp_path / "a", seeds=(0,)), _study(tmp_path / "b", seeds=(0,), budget=Budget("epochs", 12))
    page = write_study_comparison(compare_two(a, b), tmp_path / "out")
    assert "24 epochs in A, 12 epochs in B" in page.read_text(encoding="utf-8")
    content = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert content["compared"] == "studies"
    assert len(content["settings"]) == 4
    with pytest.raises(ValueError, match=r"no finished cells of .* match: they differ in more than one thing"):
        compare_two(a, _study(tmp_path / "c", clips=((32, 1), (64, 1)), batches=(4,), seeds=(0,)))
    cells = a.cells
    empty = write_study(tmp_path / "d", sections=[Section("x", "", cells)], missing=cells, plan=False)
    with pytest.raises(ValueError, match=r"no finished cell in .*d: see videogn study status"):
        compare_two(a, empty)
