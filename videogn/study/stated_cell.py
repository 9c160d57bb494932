"""What the result of a cell states, of `result.json`: kinds and ranges."""

from __future__ import annotations

from typing import Any

from videogn.evaluation.stated_results import SUMMARY
from videogn.stated_shapes import AMOUNT, COUNT, SHARE, TEXT, check_shape

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
