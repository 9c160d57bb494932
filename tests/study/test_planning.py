"""A plan against `videogn.memory`, against steps counted by hand, and against what a training really does."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from training import fit_arguments

from videogn.memory import StepSetting, model_size, step_memory
from videogn.study import planning
from videogn.study.grid import make_grid
from videogn.study.making import make_study
from videogn.study.planning import (
    CellPlan,
    Videos,
    count_videos,
    equal_memory_rows,
    plan_cells,
    plan_entry,
    total_seconds,
)

FIT = {
    "trainer": {"accelerator": "cpu"},
    "model": {"arch": "i3d_tiny", "arch_options": {"width": 8}, "crop_size": 32},
    "data": {"num_clips": 3},
}
MOTION = {"videos_per_class": 4, "val_videos_per_class": 2}
CONTENT = {
    "fit": FIT,
    "motion": MOTION,
    "axes": {
        "norm": ["bn", {"name": "gn", "groups": 4}],
        "setting": ["4x2@8", "4x2@2", "8x1@2"],
        "memory_mode": ["plain", "block"],
    },
    "budget": {"epochs": 3, "step_clips": 8},
}
GRID = make_grid(CONTENT)
FEW = {"norm": {"name": "gn", "groups": 4}, "setting": ["4x2@2", "8x1@2"]}


def _grid(**changes):
    return make_grid({**CONTENT, **changes})


@pytest.fixture(scope="module")
def plans():
    return plan_cells(GRID, count_videos(GRID), measure=False)


def _setting(cell, **changes):
    return StepSetting(
        **{
            "model": "i3d_tiny",
            "norm": cell.norm.name,
            "clip_length": cell.clip_length,
            "crop": 32,
            "memory_mode": cell.memory_mode,
            "num_classes": 8,
            "arch_options": {"width": 8},
            "norm_options": dict(cell.norm.options),
            **changes,
        }
    )


def test_the_plan_is_that_of_the_memory_of_a_step(plans):
    assert list(plans) == list(GRID.cells)
    for cell, plan in plans.items():
        memory = step_memory(_setting(cell), cell.batch_size, device="cpu")
        assert (plan.row["peak_bytes"], plan.row["activation_bytes"]) == (memory.peak_bytes, memory.activation_bytes)
        assert (plan.row["parameters"], plan.row["multiply_adds"]) == model_size(_setting(cell))
        assert (plan.row["batch_size"], plan.row["interval"]) == (cell.batch_size, cell.interval)


def test_the_plan_tells_what_it_should(plans):
    """The norm's batch decides, not the optimiser's; a mode saves memory; a norm's options are no parameters."""
    at = {(cell.norm.name, cell.setting, cell.memory_mode): plan.row for cell, plan in plans.items()}
    assert len(at) == 12
    for norm in ("bn", "gn"):
        assert at[norm, (4, 2, 8), "plain"]["activation_bytes"] > 3.9 * at[norm, (4, 2, 2), "plain"]["activation_bytes"]
        assert at[norm, (8, 1, 2), "block"]["activation_bytes"] < at[norm, (8, 1, 2), "plain"]["activation_bytes"]
    assert len({row["parameters"] for row in at.values()}) == 1


def test_steps_by_hand(plans):
    """32 videos, 8 clips a step, 3 epochs."""
    assert {plan.steps for plan in plans.values()} == {12}
    assert plan_entry(plans[GRID.cells[0]])["steps"] == 12


@pytest.mark.parametrize(
    ("budget", "steps"),
    [
        ({"epochs": 2}, {(4, 2, 8): 8, (4, 2, 2): 32, (8, 1, 2): 32}),
        ({"iterations": 5}, {(4, 2, 8): 5, (4, 2, 2): 5, (8, 1, 2): 5}),
        ({"frames": 640}, {(4, 2, 8): 20, (4, 2, 2): 80, (8, 1, 2): 40}),
        ({"frames": 640, "step_clips": 16}, {(4, 2, 8): 10, (4, 2, 2): 10, (8, 1, 2): 5}),
        ({"minutes": 2}, {(4, 2, 8): None, (4, 2, 2): None, (8, 1, 2): None}),
    ],
)
def test_steps_of_every_budget(budget, steps):
    grid = _grid(budget=budget, axes={"norm": "gn", "setting": ["4x2@8", "4x2@2", "8x1@2"]})
    plans = plan_cells(grid, count_videos(grid), measure=False)
    assert {cell.setting: plan.steps for cell, plan in plans.items()} == steps


@pytest.mark.parametrize(
    ("batch", "step_clips"),
    [
        (8, 16),
        (8, 24),
        pytest.param(12, 12),
        pytest.param(24, 24),
    ],
)
def test_steps_are_those_of_a_training(videogn, motion, tmp_path, batch, step_clips):
    axes = {"norm": "gn", "setting": f"4x2@{batch}"}
    grid = _grid(axes=axes, budget={"epochs": 1, "step_clips": step_clips})
    (plan,) = plan_cells(grid, count_videos(grid), measure=False).values()
    more = [f"--data.batch_size={batch}", f"--trainer.accumulate_grad_batches={step_clips // batch}"]
    arguments = [a for a in fit_arguments(motion, tmp_path, *more) if "limit_train_batches" not in a]
    assert videogn(*arguments, "--trainer.limit_val_batches=1") == 0
    assert torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["global_step"] == plan.steps


# How many videos.


def test_videos_of_a_motion_set_that_is_not_made_yet():
    assert count_videos(GRID) == Videos(classes=8, train=32, val=16, test=16)
    assert count_videos(_grid(motion={"videos_per_class": 12})) == Videos(8, 96, 24, 24)
    assert count_videos(_grid(motion={"videos_per_class": 2})) == Videos(8, 16, 8, 8)


def test_videos_of_a_folder(motion):
    grid = _grid(motion=None, fit={**FIT, "data": {"root": str(motion)}})
    videos = count_videos(grid)
    assert (videos.classes, videos.train, videos.val) == (8, 32, 16)


@pytest.mark.parametrize("data", [{"root": "no such folder"}, {}, {"train": "no.csv", "val": "no.csv"}])
def test_videos_that_are_not_here(data):
    assert count_videos(_grid(motion=None, fit={"data": data})) == Videos()
    told = {"classes": 174, "train": 1000, "val": 50}
    assert count_videos(_grid(motion=None, fit={"data": data}, videos=told)) == Videos(174, 1000, 50, None)


# Time.


@pytest.fixture
def timed(monkeypatch):
    """A step of 2 s a clip of 8 frames, 1 s of 4; and the kinds of steps that were timed."""
    calls = []

    def time_step(setting, batch_size, *, device):
        calls.append((setting, batch_size, device))
        return batch_size * setting.clip_length / 4

    monkeypatch.setattr(planning, "time_step", time_step)
    return calls


def test_predicted_seconds_by_hand(timed):
    """32 clips an epoch, 16 validation clips at a third, 16 x 3 test clips at a third."""
    plans = plan_cells(GRID, count_videos(GRID), measure=True)
    for cell, plan in plans.items():
        seconds = {4: 1.0, 8: 2.0}[cell.clip_length]
        assert plan.seconds == pytest.approx(3 * 32 * seconds + (3 * 16 + 16 * 3) * seconds / 3)
    assert len({repr(step) for step in timed}) == len(timed)  # once each
    assert {device for *_, device in timed} == {"cpu"}


def test_equal_time_is_predicted_to_be_equal(timed):
    grid = _grid(budget={"minutes": 2}, axes=FEW)
    plans = plan_cells(grid, Videos(8, 32, 16, 0), measure=True)
    test = {cell: 16 * 3 * cell.clip_length / 4 / 3 for cell in plans}
    assert all(plan.seconds == pytest.approx(120 + test[cell], rel=0.01) for cell, plan in plans.items())


def test_equal_frames_take_equal_time(timed):
    """Of training: a step costs as much as its frames."""
    grid = _grid(budget={"frames": 1280}, axes={"norm": "gn", "clip": ["4x2", "8x1"], "batch_size": [8, 2]})
    assert {plan.seconds for plan in plan_cells(grid, Videos(8, 10**6, 1, 1), measure=True).values()} == {321, 322}


def test_time_is_unknown_where_the_videos_are(timed):
    grid = _grid(axes=FEW, motion=None, fit={**FIT, "data": {"root": "no such folder"}})
    plans = plan_cells(grid, count_videos(grid), measure=True)
    assert {(plan.steps, plan.seconds) for plan in plans.values()} == {(None, None)}
    assert total_seconds(list(plans.values())) is None


@pytest.mark.parametrize("budget", [{"iterations": 5}, {"frames": 640}, {"minutes": 1}])
def test_time_of_steps_alone_is_not_that_of_the_cell(timed, budget):
    grid = _grid(axes=FEW, motion=None, fit={**FIT, "data": {"root": "no such folder"}}, budget=budget)
    assert {plan.seconds for plan in plan_cells(grid, count_videos(grid), measure=True).values()} == {None}


def test_no_step_is_run_unless_asked_for(timed):
    assert {plan.seconds for plan in plan_cells(_grid(axes=FEW), Videos(), measure=False).values()} == {None}
    assert timed == []


def test_all_cells_one_after_the_other():
    assert total_seconds([CellPlan({}, 1, 2.0), CellPlan({}, 1, 3.5)]) == 5.5
    assert total_seconds([CellPlan({}, 1, 2.0), CellPlan({}, 1, None)]) is None
    assert total_seconds([]) == 0


# What cannot be planned, and what is wrong.


def test_a_number_format_that_is_not_planned(timed):
    grid = _grid(fit={**FIT, "trainer": {"precision": "transformer-engine"}})
    plans = plan_cells(grid, count_videos(grid), measure=True)
    assert {(plan.steps, plan.seconds) for plan in plans.values()} == {(12, None)}
    assert all(plan.row == {} for plan in plans.values())
    assert equal_memory_rows(plans, None) == (0, [])


@pytest.mark.parametrize(("precision", "planned"), [("16-mixed", "bf16-mixed"), ("32-true", "32"), (32, "32")])
def test_number_formats(precision, planned):
    grid = _grid(fit={**FIT, "trainer": {"precision": precision}}, axes={"norm": "bn", "setting": "4x2@2"})
    ((cell, plan),) = plan_cells(grid, count_videos(grid), measure=False).items()
    memory = step_memory(_setting(cell, precision=planned), 2, device="cuda")
    assert (plan.row["precision"], plan.row["peak_bytes"]) == (planned, memory.peak_bytes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"axes": {"norm": "gm", "setting": "4x2@2"}}, "norm must be one of .*, got 'gm'; did you mean 'gn'?"),
        (
            {"axes": {"norm": {"name": "gn", "grops": 2}, "setting": "4x2@2"}},
            "got option 'grops'; did you mean 'groups'",
        ),
        ({"axes": {"norm": {"name": "gn", "groups": 3}, "setting": "4x2@2"}}, "got 8 channels and groups=3"),
        ({"fit": {"model": {"arch": "i3d_tny"}}}, "got 'i3d_tny'; did you mean 'i3d_tiny'?"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path, changes, words):
    with pytest.raises(ValueError, match=words):
        make_study(_grid(**changes), tmp_path / "out", command="x")
    assert not (tmp_path / "out").exists()


def test_an_option_that_no_architecture_takes():
    with pytest.raises(ValueError, match="widht"):
        plan_cells(_grid(fit={"model": {"arch": "i3d_tiny", "arch_options": {"widht": 8}}}), Videos(), measure=False)


# The largest batch in equal memory.


def test_the_largest_batches_fit_and_one_more_does_not():
    grid = _grid(axes=FEW)
    plans = plan_cells(grid, count_videos(grid), measure=False)
    limit, rows = equal_memory_rows(plans, None)
    assert limit == next(plan.row["peak_bytes"] for cell, plan in plans.items() if cell.clip_length == 4)
    assert [(row["norm"], row["clip_length"]) for row in rows] == [("GN, groups 4", 4), ("GN, groups 4", 8)]
    assert rows[0]["largest_batch"] == 2
    for cell, row in zip(plans, rows, strict=True):
        sizes = (row["largest_batch"], row["largest_batch"] + 1)
        peaks = [step_memory(_setting(cell), size, device="cpu").peak_bytes for size in sizes]
        assert peaks[0] <= limit < peaks[1]


def test_nothing_fits(plans):
    limit, rows = equal_memory_rows(plans, 1000)
    assert (limit, [row["largest_batch"] for row in rows]) == (1000, [0] * 2 * 2 * 2)  # norm x clip x mode


def test_what_of_a_plan_goes_into_a_cell(plans):
    plan = plans[GRID.cells[0]]
    entry = plan_entry(plan)
    assert set(entry) == {"activation_bytes", "peak_bytes", "parameters", "multiply_adds", "steps"}
    assert plan_entry(dataclasses.replace(plan, row={})) == {"steps": 12}
