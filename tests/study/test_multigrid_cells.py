"""Cells of multigrid training in a study: their options, steps, plan and curve."""

from __future__ import annotations

from dataclasses import replace

import pytest

from videogn.data.multigrid import Multigrid
from videogn.study import Budget, Cell, Norm
from videogn.study.grid import make_grid
from videogn.study.planning import count_videos, plan_cells
from videogn.study.training_log import read_curve

BASE = {"model": {"arch": "i3d_tiny", "crop_size": 32, "milestones": [0.5]}}
CELL = Cell(Norm("bn"), 16, 1, 8, 1, Budget("epochs", 12), schedule="multigrid")
CONTENT = {
    "fit": {**BASE, "trainer": {"accelerator": "cpu"}},
    "motion": {"videos_per_class": 60},
    "axes": {"norm": "gn", "setting": "16x1@8", "schedule": ["constant", "multigrid"]},
    "budget": {"epochs": 12},
}


@pytest.mark.parametrize(
    ("schedule", "cycles"), [("multigrid", "both"), ("multigrid-long", "long"), ("multigrid-short", "short")]
)
def test_a_schedule_is_an_option_of_the_data(schedule, cycles):
    cell = replace(CELL, schedule=schedule)
    assert cell.fit_config(BASE)["data"] == {"batch_size": 8, "multigrid": cycles}
    assert cell.name == f"bn_16x1_batch8_12epochs_{schedule}_seed0"
    assert cell.cycles(BASE).cycles == cycles


def test_a_constant_cell_is_as_it_was():
    cell = replace(CELL, schedule="constant")
    assert (cell.name, cell.fit_config(BASE)["data"]) == ("bn_16x1_batch8_12epochs_seed0", {"batch_size": 8})
    assert cell.frames_per_step(BASE) == 16 * 8


def test_a_budget_of_frames_is_spent():
    cell = replace(CELL, budget=Budget("frames", 92_160), accumulate=2)
    steps = cell.steps(BASE, None)
    assert cell.fit_config(BASE)["trainer"]["max_steps"] == steps
    run = Multigrid(cycles=cell.cycles(BASE), steps=steps, epoch_steps=1, accumulate=2)
    assert run.frames_before(steps) == pytest.approx(92_160, rel=0.03)


def test_devices_share_the_videos():
    assert replace(CELL, devices=2).steps(BASE, 960) == CELL.steps(BASE, 480)


def test_the_plan_has_the_steps_of_a_run_and_the_largest_of_its_shapes():
    grid = make_grid(CONTENT)
    constant, multigrid = plan_cells(grid, count_videos(grid), measure=False).values()
    assert (constant.steps, multigrid.steps) == (720, 12 * round(480 / grid.cells[1].cycles(grid.base).clips_per_batch))
    assert constant.row["peak_bytes"] <= multigrid.row["peak_bytes"] < 1.2 * constant.row["peak_bytes"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"budget": {"minutes": 3}}, "schedule multigrid needs a budget whose steps are known beforehand, got minutes"),
        ({"fit": {"data": {"multigrid": "both"}}}, "data.multigrid cannot be set for all cells: .* the axis schedule"),
        ({"axes": {**CONTENT["axes"], "schedule": "multigird"}}, "did you mean 'multigrid'"),
    ],
)
def test_mistakes_are_named(changes, words):
    with pytest.raises(ValueError, match=words):
        make_grid({**CONTENT, **changes})


def test_the_curve_has_the_frames_that_a_run_logged(tmp_path):
    (tmp_path / "metrics.csv").write_text("epoch,step,train/frames,val/top1\n0,9,640.0,0.5\n1,19,,0.75\n")
    assert [point.frames for point in read_curve(tmp_path, CELL)] == [640, 20 * 8 * 16]
