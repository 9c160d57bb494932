"""A study as its files tell it: for reports, which need nothing but the files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videogn.checks import existing_path
from videogn.study.cell import Cell

#: In the folder of a study.
STUDY_FILE = "study.json"
PLAN_FILE = "plan.json"
CELLS_FOLDER = "cells"
#: In the folder of a cell. One with a result is finished.
RESULT_FILE = "result.json"
STATE_FILE = "state.json"
CLIPS_FILE = "clip_probabilities.parquet"


@dataclass(frozen=True)
class CurvePoint:
    """What a validation found.

    Attributes:
        epoch: finished epochs.
        step: optimiser steps so far.
        frames: frames of clips trained on so far, over all devices.
        val_error: of one clip a video, in [0, 1].
        train_loss: mean of the losses logged since the validation before, or None.
    """

    epoch: int
    step: int
    frames: int
    val_error: float
    train_loss: float | None = None


@dataclass(frozen=True)
class CellResult:
    """A finished cell.

    Attributes:
        cell: which one.
        fingerprint: of its configuration.
        curve: what the validations found, in order.
        test: what `videogn test` wrote to results.json.
        cost: training_seconds, testing_seconds, steps, clips, peak_device_bytes (None on a CPU), peak_process_bytes.
        planned: of `videogn plan`: activation_bytes, peak_bytes, parameters, multiply_adds; empty where it was not.
        attempts: how often it was begun.
        machine: what it ran on.
        commands: the two commands.
        folder: where its files are.
    """

    cell: Cell
    fingerprint: str
    curve: tuple[CurvePoint, ...]
    test: dict[str, Any]
    cost: dict[str, Any]
    planned: dict[str, Any]
    attempts: int
    machine: dict[str, Any]
    commands: tuple[tuple[str, ...], ...]
    folder: Path

    @property
    def clips_file(self) -> Path:
        """Probabilities of every clip of every test video."""
        return self.folder / CLIPS_FILE

    @staticmethod
    def read(folder: Path) -> CellResult | None:
        """The result in a cell's folder, or None where it is not finished."""
        path = folder / RESULT_FILE
        if not path.is_file():
            return None
        content = json.loads(path.read_text(encoding="utf-8"))
        return CellResult(
            **{
                **content,
                "cell": Cell.read(content["cell"]),
                "curve": tuple(CurvePoint(**point) for point in content["curve"]),
                "commands": tuple(tuple(command) for command in content["commands"]),
                "folder": folder,
            }
        )


@dataclass(frozen=True)
class Section:
    """The cells of one budget; a cell may be in several.

    Attributes:
        title: what the cells have in equal measure, for instance "24 epochs, steps of 8 clips".
        note: what is thereby compared, in a sentence; may be empty.
        cells: all of them, finished or not, in the order of the grid.
    """

    title: str
    note: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Study:
    """What is in a study's folder.

    Attributes:
        title: of the grid.
        folder: of the study.
        sections: one for each budget, the first leads.
        results: finished cells by the cell.
        unfinished: cell -> (phase, reason or None).
        plan: rows as of `videogn plan --json` with `largest_batch`, for the frontier; may be empty.
        memory: bytes that `largest_batch` is about, or None.
        grid: text of the grid's file.
        command: that made it.
        versions: of the packages.
    """

    title: str
    folder: Path
    sections: tuple[Section, ...]
    results: dict[Cell, CellResult]
    unfinished: dict[Cell, tuple[str, str | None]]
    plan: tuple[dict[str, Any], ...]
    memory: int | None
    grid: str
    command: str
    versions: dict[str, str | None]


def cell_folder(out: Path, cell: Cell) -> Path:
    """Where a cell of the study in `out` lives."""
    return out / CELLS_FOLDER / cell.name


def read_study(out: str | Path) -> Study:
    """Read a study's folder.

    Args:
        out: the folder.

    Returns:
        The study, finished or not.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it is not a study's.
    """
    out = existing_path(out)
    if not (out / STUDY_FILE).is_file():
        raise ValueError(f"{out} is not the folder of a study: it has no {STUDY_FILE}")
    content = json.loads((out / STUDY_FILE).read_text(encoding="utf-8"))
    sections = tuple(
        Section(section["title"], section["note"], tuple(map(Cell.read, section["cells"])))
        for section in content["sections"]
    )
    cells = dict.fromkeys(cell for section in sections for cell in section.cells)
    found = {cell: CellResult.read(cell_folder(out, cell)) for cell in cells}
    plan = _read_json(out / PLAN_FILE)
    return Study(
        title=content["title"],
        folder=out,
        sections=sections,
        results={cell: result for cell, result in found.items() if result is not None},
        unfinished={cell: _state(cell_folder(out, cell)) for cell, result in found.items() if result is None},
        plan=tuple(plan.get("rows", ())),
        memory=plan.get("memory"),
        grid=content["grid"],
        command=content["command"],
        versions=content["versions"],
    )


def _state(folder: Path) -> tuple[str, str | None]:
    state = _read_json(folder / STATE_FILE)
    return state.get("phase", "waiting"), state.get("reason")


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
