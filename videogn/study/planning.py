"""Memory, steps and time of every cell of a grid, before it runs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from videogn.choices import ARCH, NUM_CLASSES, VAL_FRACTION, EvaluationProtocol, NetworkInput
from videogn.data.splits import read_splits
from videogn.data.synthetic.motion import MOTIONS
from videogn.memory import StepSetting, largest_batch, model_size, plan_row, step_memory, time_step
from videogn.study.cell import Cell, norm_labels
from videogn.study.grid import Grid
from videogn.study.yaml_values import section

#: Lightning's names of number formats -> those that are planned; formats of 16 bits take the same memory.
_PRECISIONS = {
    "32": "32",
    "32-true": "32",
    "bf16-mixed": "bf16-mixed",
    "bf16": "bf16-mixed",
    "16-mixed": "bf16-mixed",
    "16": "bf16-mixed",
}
#: A step to time need not be larger than this, multiply-adds of its forward pass.
_TIMED_MULTIPLY_ADDS = 4e9
#: A forward pass is a third of a step: the backward pass computes two products where it computed one.
_FORWARD = 1 / 3


@dataclass(frozen=True)
class Videos:
    """Numbers of videos, where they are known.

    Attributes:
        classes: Number of classes, K.
        train: Number of training videos, or None.
        val: Number of validation videos, or None.
        test: Number of test videos, or None.
    """

    classes: int = NUM_CLASSES
    train: int | None = None
    val: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class CellPlan:
    """Plan of a cell.

    Attributes:
        row: Row as of `videogn plan --json`; empty where the number format cannot be planned.
        steps: Optimiser steps, or None where they are not known beforehand.
        seconds: Predicted seconds of training, validations and test, without start and loading; None where unknown.
    """

    row: dict[str, Any]
    steps: int | None
    seconds: float | None = None


def count_videos(grid: Grid) -> Videos:
    """Count the videos of a grid's data; where they are not here, the grid may say how many there are."""
    if grid.motion is not None:
        per_class = int(grid.motion["videos_per_class"])
        val = int(grid.motion.get("val_videos_per_class") or max(per_class // 4, 1))
        return Videos(len(MOTIONS), per_class * len(MOTIONS), val * len(MOTIONS), val * len(MOTIONS))
    data = section(grid.base, "data")
    sources = {split: data.get(split) for split in ("train", "val", "test")}
    places = [place for place in (data.get("root"), *sources.values()) if place is not None]
    if not places or not all(Path(place).expanduser().exists() for place in places):
        return Videos(**grid.videos)
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
        progress: Called with (cells planned, all cells).

    Returns:
        Cell -> its plan.

    Raises:
        ValueError: An architecture or a norm is unknown, or does not take the options.
    """
    memory_of = _remembered(lambda setting, size: step_memory(setting, size, device=_target(grid.base)))
    size_of = _remembered(model_size)
    seconds_of = _remembered(lambda setting, size: _seconds_per_clip(setting, size_of(setting)[1], size, device))
    plans = {}
    for number, cell in enumerate(grid.cells, 1):
        setting = _setting(grid.base, cell, videos.classes)
        steps = cell.budget.steps(cell.clip_length, cell.clips_per_step, videos.train, accumulate=cell.accumulate)
        if setting is None:
            plans[cell] = CellPlan({}, steps)
        else:
            row = plan_row(setting, cell.interval, memory_of(setting, cell.batch_size), size_of(setting))
            seconds = (
                _predict(cell, steps, seconds_of(setting, cell.batch_size), grid.base, videos) if measure else None
            )
            plans[cell] = CellPlan(row, steps, seconds)
        progress(number, len(grid.cells))
    return plans


def equal_memory_rows(
    grid: Grid, plans: Mapping[Cell, CellPlan], limit: int | None, videos: Videos
) -> tuple[int, list[dict[str, Any]]]:
    """Plan the largest batch of every kind of cell in equal memory, for the frontier.

    Args:
        grid: The grid.
        plans: Plans of `plan_cells`.
        limit: Bytes. Default: the need of the largest batch of the shortest clips.
        videos: Numbers of videos.

    Returns:
        The limit, and rows as of `videogn plan --json` with `largest_batch`, one for each kind of cell.
    """
    rows = [(cell, plan.row) for cell, plan in plans.items() if plan.row]
    if not rows:
        return 0, []
    if limit is None:
        shortest = min(row["clip_length"] for _, row in rows)
        limit = max(row["peak_bytes"] for _, row in rows if row["clip_length"] == shortest)
    labels = norm_labels(cell.norm for cell in plans)
    kinds: dict[str, tuple[StepSetting, str, dict[str, Any]]] = {}
    for cell, row in rows:
        setting = _setting(grid.base, cell, videos.classes)
        assert setting is not None
        kinds.setdefault(repr(setting), (setting, labels[cell.norm], row))
    found = []
    for setting, label, row in kinds.values():
        peak = functools.partial(_peak, setting, _target(grid.base))
        found.append({**row, "norm": label, "largest_batch": largest_batch(peak, limit)})
    return limit, found


def plan_entry(plan: CellPlan) -> dict[str, Any]:
    """Select the part of a plan that a cell's folder keeps."""
    keys = ("activation_bytes", "peak_bytes", "parameters", "multiply_adds")
    return {**{key: plan.row[key] for key in keys if key in plan.row}, "steps": plan.steps}


def _setting(base: Mapping[str, Any], cell: Cell, num_classes: int) -> StepSetting | None:
    """Settings of a cell's training step; None where its number format cannot be planned."""
    given = {name: value for name, value in (base.get("model") or {}).items() if value is not None}
    model = {"arch": ARCH, "crop_size": NetworkInput.crop_size, **given}
    precision = _PRECISIONS.get(str((base.get("trainer") or {}).get("precision") or "32"))
    if precision is None:
        return None
    options = {k: v for k, v in (model.get("arch_options") or {}).items() if k != "memory_mode"}
    if isinstance(options.get("pool_window"), list):
        options["pool_window"] = tuple(options["pool_window"])
    if cell.norm.options:
        options["norm_options"] = dict(cell.norm.options)
    return StepSetting(
        model=model["arch"],
        norm=cell.norm.name,
        clip_length=cell.clip_length,
        crop=model["crop_size"],
        precision=precision,
        memory_mode=cell.memory_mode,
        num_classes=num_classes,
        arch_options=options,
    )


def _target(base: Mapping[str, Any]) -> str:
    return "cpu" if section(base, "trainer").get("accelerator") == "cpu" else "cuda"


def _seconds_per_clip(setting: StepSetting, multiply_adds: int, batch_size: int, device: str) -> float:
    """Seconds of a training step a clip, on this machine; of the batch, or of fewer clips if they take long."""
    clips = max(min(int(_TIMED_MULTIPLY_ADDS / multiply_adds), batch_size), 1)
    plain = replace(setting, precision="32") if device == "cpu" else setting
    return time_step(plain, clips, device=device) / clips


def _predict(cell: Cell, steps: int | None, per_clip: float, base: Mapping[str, Any], videos: Videos) -> float | None:
    """Seconds of training, validations and test."""
    trainer, data = base.get("trainer") or {}, base.get("data") or {}
    if videos.train is None or (videos.test or videos.val) is None:
        return None
    clips = None if steps is None else steps * cell.clips_per_step
    if cell.budget.kind == "minutes":
        training = 60.0 * cell.budget.amount
    elif clips is None:
        return None
    else:
        training = clips * per_clip / cell.devices
        if videos.val:
            # An epoch drops its incomplete last batch.
            epochs = round(clips / videos.train) // (trainer.get("check_val_every_n_epoch") or 1)
            training += epochs * videos.val * per_clip * _FORWARD / cell.devices
    test = (videos.test or videos.val or 0) * int(data.get("num_clips") or EvaluationProtocol.num_clips)
    return training + test * per_clip * _FORWARD / cell.devices


def _peak(setting: StepSetting, device: str, batch_size: int) -> int:
    return step_memory(setting, batch_size, device=device).peak_bytes


def _remembered(function: Callable[..., Any]) -> Callable[..., Any]:
    """functools.cache for arguments that hold mappings, which have no hash."""
    known: dict[str, Any] = {}

    def ask(*arguments: Any) -> Any:
        key = repr(arguments)
        if key not in known:
            known[key] = function(*arguments)
        return known[key]

    return ask


def total_seconds(plans: Sequence[CellPlan]) -> float | None:
    """Add up the cells' seconds; None where one is not known."""
    known = [plan.seconds for plan in plans]
    return None if None in known else sum(seconds for seconds in known if seconds is not None)
