"""Memory, steps and time of every cell of a grid, before it runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from videogn.checks import expanded
from videogn.choices import ARCH, VAL_FRACTION, EvaluationProtocol, NetworkInput
from videogn.data.splits import read_splits
from videogn.memory import StepPlan, StepSetting, plan_steps, setting_of_run, time_step
from videogn.study.cell import Cell, norm_labels
from videogn.study.grid import Grid, Videos
from videogn.study.test_plan import tests_bytes
from videogn.study.transfers import other_clips
from videogn.study.yaml_values import section

#: A step to time need not be larger than this, multiply-adds of its forward pass.
_TIMED_MULTIPLY_ADDS = 4e9
#: A forward pass is a third of a step: the backward pass computes two products where it computed one.
_FORWARD = 1 / 3


@dataclass(frozen=True)
class CellPlan:
    """Plan of a cell.

    Attributes:
        row: Row as of `videogn plan --json`; empty where the number format cannot be planned.
        steps: Optimiser steps, or None where they are not known beforehand.
        seconds: Predicted seconds of training, validations and test, without start and loading; None where unknown.
        step: Plan of its training step for every batch size; None where the number format cannot be planned.
        test_bytes: Peak memory of its tests at other clip lengths; None where there are none.
    """

    row: dict[str, Any]
    steps: int | None
    seconds: float | None = None
    step: StepPlan | None = None
    test_bytes: int | None = None


def count_videos(grid: Grid) -> Videos:
    """Count the videos of a grid's data; where they are not here, the grid may say how many there are."""
    if grid.own_data is not None:
        classes, train, val = grid.own_data.count()
        return Videos(classes, train, val, val)
    data = section(grid.base, "data")
    sources = {split: data.get(split) for split in ("train", "val", "test")}
    places = [place for place in (data.get("root"), *sources.values()) if place is not None]
    if not places or not all(expanded(place).exists() for place in places):
        return grid.videos
    options: dict[str, Any] = {"val_fraction": VAL_FRACTION, "class_names": None, "seed": 0}
    options |= {name: data[name] for name in (*options, "use_truncated") if data.get(name) is not None}
    splits = read_splits(data.get("root"), sources, **options)
    counts = {split: len(index) for split, index in splits.items()}
    return Videos(len(next(iter(splits.values())).classes), counts.get("train"), counts.get("val"), counts.get("test"))


def plan_cells(
    grid: Grid,
    videos: Videos,
    *,
    measure: bool,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Cell, CellPlan]:
    """Plan every cell of a grid.

    Args:
        grid: The grid.
        videos: Numbers of videos.
        measure: Predict times, from a step of every kind of cell that is run here.
        device: Device of that step, cpu or cuda.
        progress: Called with (kinds of steps planned, all kinds).

    Returns:
        Cell -> its plan.

    Raises:
        ValueError: An architecture or a norm is unknown, or does not take the options.
    """
    settings = {cell: _setting(grid.base, cell, videos.classes) for cell in grid.cells}
    shapes = {cell: _shaped(grid.base, cell, setting) for cell, setting in settings.items() if setting is not None}
    tests = {
        cell: {clip: replace(setting, clip_length=clip.length) for clip in other_clips(cell, grid.test_clips)}
        for cell, setting in settings.items()
        if setting is not None
    }
    known = [setting for shaped in shapes.values() for setting, _ in shaped]
    known += [setting for of_cell in tests.values() for setting in of_cell.values()]
    planned = plan_steps(known, device=_target(grid.base), progress=progress)
    steps_of = {repr(plan.setting): plan for plan in planned}
    seconds_of: dict[tuple[str, int], float] = {}
    plans = {}
    for cell, setting in settings.items():
        steps = cell.steps(grid.base, videos.train)
        if setting is None:
            plans[cell] = CellPlan({}, steps)
            continue
        step = steps_of[repr(setting)]
        seconds = None
        if measure:
            each = [setting, *tests[cell].values()]
            for kind in ((repr(of_test), cell.batch_size) for of_test in each):
                seconds_of[kind] = seconds_of.get(kind) or _seconds_per_clip(steps_of[kind[0]], kind[1], device)
            per_clip, *others = (seconds_of[repr(of_test), cell.batch_size] for of_test in each)
            seconds = _predict(cell, steps, per_clip, grid.base, videos, others)
        rows = [steps_of[repr(each)].row(cell.interval, clips) for each, clips in shapes[cell]]
        most = {name: max(row[name] for row in rows) for name in ("activation_bytes", "peak_bytes")}
        needed = tests_bytes(grid.base, setting, tests[cell], _target(grid.base))
        plans[cell] = CellPlan({**step.row(cell.interval, cell.batch_size), **most}, steps, seconds, step, needed)
    return plans


def equal_memory_rows(plans: Mapping[Cell, CellPlan], limit: int | None) -> tuple[int, list[dict[str, Any]]]:
    """Plan the largest batch of every kind of cell in equal memory, for the frontier.

    Args:
        plans: Plans of `plan_cells`.
        limit: Bytes. Default: the need of the largest batch of the shortest clips.

    Returns:
        The limit, and rows as of `videogn plan --json` with `largest_batch`, one for each kind of cell.
    """
    planned = [(cell, plan.row, plan.step) for cell, plan in plans.items() if plan.step is not None]
    if not planned:
        return 0, []
    if limit is None:
        shortest = min(row["clip_length"] for _, row, _ in planned)
        limit = max(row["peak_bytes"] for _, row, _ in planned if row["clip_length"] == shortest)
    labels = norm_labels(cell.norm for cell in plans)
    rows: dict[str, dict[str, Any]] = {}
    for cell, row, step in planned:
        if repr(step.setting) not in rows:
            largest = step.largest_batch(limit)
            rows[repr(step.setting)] = {**row, "norm": labels[cell.norm], "largest_batch": largest}
    return limit, list(rows.values())


def plan_entry(plan: CellPlan) -> dict[str, Any]:
    """Select the part of a plan that a cell's folder keeps."""
    keys = ("activation_bytes", "peak_bytes", "parameters", "multiply_adds")
    return {**{key: plan.row[key] for key in keys if key in plan.row}, "steps": plan.steps}


def _setting(base: Mapping[str, Any], cell: Cell, num_classes: int) -> StepSetting | None:
    """Settings of a cell's training step; None where its number format cannot be planned."""
    base = cell.norm.configured(base)
    given = {name: value for name, value in section(base, "model").items() if value is not None}
    options = {**(given.get("arch_options") or {}), "memory_mode": cell.memory_mode}
    model = {"arch": ARCH, "crop_size": NetworkInput.crop_size, **given, "arch_options": options}
    model |= {"norm": cell.norm.name, "norm_options": cell.norm.options, "clip_length": cell.clip_length}
    precision = section(base, "trainer").get("precision")
    return setting_of_run(model, num_classes, precision, _optimizer(given.get("optimizer")))


def _shaped(base: Mapping[str, Any], cell: Cell, setting: StepSetting) -> list[tuple[StepSetting, int]]:
    """Settings of a cell's steps, each with its batch size: the base clips first, then every shape of multigrid."""
    cycles = cell.cycles(base)
    shaped = [(setting, cell.batch_size)]
    for phase in () if cycles is None else cycles.phases:
        for shape in phase.shapes:
            step = replace(setting, clip_length=shape.clip_length, crop=shape.crop_size)
            shaped.append((step, shape.clips))
    return shaped


def _optimizer(given: Any) -> tuple[str, dict[str, Any]]:
    """Name and options of an optimiser as `videogn fit` takes it: a name, or a class path with arguments."""
    if isinstance(given, Mapping):
        return str(given["class_path"]), dict(given.get("init_args") or {})
    return given or "SGD", {}


def _target(base: Mapping[str, Any]) -> str:
    return "cpu" if section(base, "trainer").get("accelerator") == "cpu" else "cuda"


def _seconds_per_clip(step: StepPlan, batch_size: int, device: str) -> float:
    """Seconds of a training step a clip, on this machine; of the batch, or of fewer clips if they take long."""
    unit = step.setting.sub_batch
    clips = unit * max(min(int(_TIMED_MULTIPLY_ADDS / step.multiply_adds), batch_size) // unit, 1)
    plain = replace(step.setting, precision="32") if device == "cpu" else step.setting
    return time_step(plain, clips, device=device) / clips


def _predict(
    cell: Cell,
    steps: int | None,
    per_clip: float,
    base: Mapping[str, Any],
    videos: Videos,
    other_tests: Sequence[float],
) -> float | None:
    """Seconds of training, validations and tests; a step takes `per_clip` a clip, or `other_tests` at other lengths."""
    trainer, data = base.get("trainer") or {}, base.get("data") or {}
    if videos.train is None or (videos.test or videos.val) is None:
        return None
    clips = None if steps is None else steps * cell.clips_per_step
    cycles = cell.cycles(base)  # whose steps take about as long as those of base clips
    passes = 1.0 if cycles is None else cycles.clips_per_batch / cell.batch_size
    if cell.budget.kind == "minutes":
        training = 60.0 * cell.budget.amount
    elif clips is None:
        return None
    else:
        training = clips * per_clip / cell.devices
        if videos.val:
            # An epoch drops its incomplete last batch.
            epochs = round(passes * clips / videos.train) // (trainer.get("check_val_every_n_epoch") or 1)
            training += epochs * videos.val * per_clip * _FORWARD / cell.devices
    test = (videos.test or videos.val or 0) * int(data.get("num_clips") or EvaluationProtocol.num_clips)
    return training + test * sum((per_clip, *other_tests)) * _FORWARD / cell.devices


def total_seconds(plans: Sequence[CellPlan]) -> float | None:
    """Add up the cells' seconds; None where one is not known."""
    known = [plan.seconds for plan in plans]
    return None if None in known else sum(seconds for seconds in known if seconds is not None)
