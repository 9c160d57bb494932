"""What the files of a study state of its cells, their plan and their results: kinds and ranges."""

from __future__ import annotations

from typing import Any, get_args

from videogn.checks import is_whole
from videogn.choices import CellScheduleName, MemoryModeName, ScalingName
from videogn.evaluation.stated_results import SUMMARY
from videogn.stated_shapes import AMOUNT, COUNT, SHARE, TEXT, TEXT_OR_NULL, Kind, check_present, check_shape

_POSITIVE = Kind("a whole number from 1 to 10^9", lambda value: is_whole(value) and 1 <= value <= 10**9)
_BATCH = Kind(
    "a whole number from 0 to 10^9, or null", lambda value: value is None or value == 0 or _POSITIVE.fits(value)
)


def _one_of(*names: str) -> Kind:
    return Kind(f"one of {', '.join(names)}", lambda value: value in names)


#: The folder of a cell is named by these: a text in the place of a number would lead out of the study.
_CELL = {
    "norm": {"name": TEXT, "variant": TEXT, "fit": TEXT},
    **dict.fromkeys(("clip_length", "interval", "batch_size", "accumulate", "devices"), _POSITIVE),
    "scaling": _one_of(*get_args(ScalingName), "none"),
    "memory_mode": _one_of(*get_args(MemoryModeName)),
    "init": TEXT_OR_NULL,
    "seed": COUNT,
    "schedule": _one_of(*get_args(CellScheduleName)),
}
#: What the frontier of `largest_batch` is drawn of.
_ROW = {
    **dict.fromkeys(("model", "precision", "memory_mode", "norm"), TEXT),
    **dict.fromkeys(("crop", "clip_length"), _POSITIVE),
    "largest_batch": _BATCH,
}

_SECONDS = ("training_seconds", "validation_seconds", "testing_seconds")
_COST = (*_SECONDS, "steps", "clips", "frames", "peak_device_bytes", "peak_process_bytes")
_PLANNED = ("activation_bytes", "peak_bytes", "parameters", "multiply_adds", "steps")
_POINT = {"epoch": AMOUNT, "step": COUNT, "frames": AMOUNT, "val_error": SHARE, "train_loss": AMOUNT}
_RESULT = {
    "curve": [_POINT],
    "test": SUMMARY,
    "cost": dict.fromkeys(_COST, AMOUNT),
    "planned": dict.fromkeys(_PLANNED, AMOUNT),
    "attempts": COUNT,
    "machine": {},
    "commands": [[TEXT]],
}


def check_result(content: Any) -> None:
    """Refuse the content of a `result.json` with a value of another kind than a cell's.

    Raises:
        ValueError: There is one.
    """
    check_shape(content, _RESULT)


def check_cell(content: Any) -> None:
    """Refuse a cell, as study.json, cell.json and result.json have it, with a value of another kind."""
    check_shape(content, _CELL)


def check_test_clips(content: Any) -> None:
    """Refuse a list of test clips, pairs of length and interval, with a value of another kind."""
    check_shape(content, [[_POSITIVE]])


def check_plan(content: Any) -> None:
    """Refuse the content of a plan.json with a value of another kind, or a row that lacks one."""
    check_shape(content, {"memory": AMOUNT, "rows": [_ROW]})
    for row in content.get("rows", ()):
        check_present(row, _ROW if row.get("largest_batch") is not None else ())
