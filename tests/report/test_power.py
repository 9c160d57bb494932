"""The spread of a study over its seeds, and how many seeds it makes necessary."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.report.studies import make_cells, write_study
from videogn.report.power import DIFFERENCES, power_lines, seeds_needed, spread_of
from videogn.report.statistics import pairs_needed
from videogn.study import Section

GRID = "axes: {norm: gn, clip: 8x2, batch_size: 8}\nbudget: {iterations: 2}\nfit: {model: {arch: i3d_tiny}}\n"


def _plan(videogn, folder, *options):
    (folder / "grid.yaml").write_text(GRID)
    return videogn("study", "plan", folder / "grid.yaml", "--no-time", *options)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return write_study(tmp_path_factory.mktemp("made") / "study", plan=False)


def test_the_spread_is_that_of_the_paired_differences(study):
    top1 = {cell: 100 * result.test["over_all"]["top1"] for cell, result in study.results.items()}
    variances = []
    for setting in {cell.setting for cell in top1}:
        norms = [{c.seed: v for c, v in top1.items() if (c.norm.name, c.setting) == (n, setting)} for n in ("bn", "gn")]
        variances.append(np.var([norms[0][seed] - norms[1][seed] for seed in (0, 1, 2)], ddof=1))
    spread = spread_of(study)
    assert (spread.pairs, spread.freedom) == (6, 12)
    assert spread.pooled == pytest.approx(np.sqrt(np.mean(variances)))
    assert spread.largest == pytest.approx(np.sqrt(max(variances)))


def test_a_section_that_repeats_cells_counts_them_once(study, tmp_path):
    twice = write_study(tmp_path / "s", sections=[Section("a", "", make_cells()), Section("b", "", make_cells())])
    assert spread_of(twice) == spread_of(study)


def test_seeds_of_each_difference(study):
    spread = spread_of(study)
    assert seeds_needed(spread.pooled) == {d: pairs_needed(d, spread.pooled) for d in DIFFERENCES}
    lines = power_lines(spread, "runs/first")
    assert lines[0].startswith("Spread in runs/first: the difference of two norms has a standard deviation of ")
    assert f"of {spread.pooled:.1f} points over seeds (6 settings and pairs, 12 degrees of freedom)" in lines[0]
    assert f"of 5 points {pairs_needed(5, spread.pooled)} seeds" in lines[1]


def test_one_seed_has_no_spread(tmp_path):
    cells = tuple(cell for cell in make_cells() if cell.seed == 0)
    assert spread_of(write_study(tmp_path / "s", sections=[Section("a", "", cells)])) is None


def test_the_plan_says_it(study, tmp_path, videogn, capsys):
    assert _plan(videogn, tmp_path, "--spread-of", study.folder) == 0
    said = capsys.readouterr().out
    assert "power 80 %" in " ".join(said.split())
    assert _plan(videogn, tmp_path, "--json", "--spread-of", study.folder) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["seeds_needed"] == {str(d): n for d, n in seeds_needed(spread_of(study).pooled).items()}


def test_a_study_without_spread_is_refused(tmp_path, videogn, capsys):
    cells = tuple(cell for cell in make_cells() if cell.seed == 0)
    write_study(tmp_path / "s", sections=[Section("a", "", cells)])
    assert _plan(videogn, tmp_path, "--spread-of", tmp_path / "s") == 2
    assert "no two norms have two seeds in common" in capsys.readouterr().err
