"""Whether a cell is trained: a fact about the steps that were done, and not about how a process has ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videogn.checks import reading
from videogn.study.cell import Cell
from videogn.study.cell_files import FIT_FILE, RESULT_FILE, read_cell, read_json, read_result
from videogn.study.training_log import read_curve
from videogn.study.yaml_values import load_yaml

#: What `videogn fit` writes where a training run has come to its end, and only there.
COST_FILE = "cost.json"


def missing_training(folder: Path) -> str | None:
    """Say what is missing in a cell's training.

    Args:
        folder: Folder of the cell, prepared.

    Returns:
        What is missing, or None where it is trained.
    """
    cost = read_json(folder / COST_FILE)
    if not cost:
        return "its training has not come to its end"
    cell, prepared = read_cell(folder)
    curve = read_curve(folder, cell)
    return _missing(folder, cell, cost, prepared["planned"], curve[-1].epoch if curve else 0)


def half_trained(folder: Path) -> bool:
    """Whether a cell has a result of a training that was stopped, as earlier versions wrote them."""
    result = read_result(folder)
    if not result:
        return False
    with reading(folder / RESULT_FILE):
        epochs = result["curve"][-1]["epoch"] if result["curve"] else 0
        return _missing(folder, Cell.read(result["cell"]), result["cost"], result["planned"], epochs) is not None


def _missing(
    folder: Path, cell: Cell, cost: Mapping[str, Any], planned: Mapping[str, Any], epochs: float
) -> str | None:
    if cost.get("ended_by"):  # as the run itself says; earlier versions did not
        return None
    steps, done = planned.get("steps"), cost.get("steps")
    all_epochs = cell.budget.kind == "epochs" and epochs >= cell.budget.amount
    if steps is None or done is None or done >= steps or all_epochs or _may_end_early(folder):
        return None
    return f"it was trained for {done:,} of {steps:,} steps"


def _may_end_early(folder: Path) -> bool:
    fit = folder / FIT_FILE
    with reading(fit):
        config = load_yaml(fit, fit.read_text(encoding="utf-8")) if fit.is_file() else {}
        model, trainer = config.get("model") or {}, config.get("trainer") or {}
        return bool(model.get("early_stopping") or trainer.get("max_time") or trainer.get("callbacks"))
