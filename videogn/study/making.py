"""From a grid to the folder of a study: its data, its plan, and a folder for every cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from videogn.data.synthetic.writing import write_motion_dataset
from videogn.study.cell import Cell, fingerprint
from videogn.study.folder import check_settings, prepare
from videogn.study.grid import Grid
from videogn.study.options import check_data, check_known
from videogn.study.planning import CellPlan, Videos, count_videos, equal_memory_rows, plan_cells, plan_entry
from videogn.study.results import CELLS_FOLDER, PLAN_FILE, STUDY_FILE, cell_folder
from videogn.system.cores import available_cores
from videogn.system.files import write_json
from videogn.system.versions import package_versions

_MOTION_FOLDER = "motion"
Progress = Callable[[int, int], None]


def make_study(
    grid: Grid,
    out: str | Path,
    *,
    command: str,
    memory: int | None = None,
    planning: Progress = lambda done, total: None,
    writing: Progress = lambda done, total: None,
) -> Path:
    """Write all that a study is but its results; what is there already stays.

    Args:
        grid: what it is.
        out: folder of the study, made if it does not exist.
        command: that made it, for the report.
        memory: bytes that the largest batches are planned for, or None.
        planning: called with (cells planned, all of them).
        writing: called with (videos written, all of them), where the study makes its data.

    Returns:
        The folder, absolute.

    Raises:
        ValueError: a cell that is finished was run with other settings, or a name or number is wrong.
    """
    out = Path(out).expanduser().resolve()
    _check_folder(out)
    check_known(grid.base)
    if grid.motion is None:
        check_data(grid.base)
    videos = count_videos(grid)
    plans = plan_cells(grid, videos, measure=False, progress=planning)
    configs = {cell: cell.fit_config(grid.base) for cell in plans}
    for cell, config in configs.items():
        check_settings(cell_folder(out, cell), fingerprint(config, grid.motion))  # before anything is touched
    data_root = None
    if grid.motion is not None:
        data_root = out / _MOTION_FOLDER
        write_motion_dataset(data_root, **grid.motion, workers=available_cores(), progress=writing)
    for cell, plan in plans.items():
        prepare(
            cell_folder(out, cell),
            cell,
            configs[cell],
            motion=grid.motion,
            data_root=data_root,
            planned=plan_entry(plan),
        )
    _write_plan(grid, plans, videos, memory, out)
    write_json(out / STUDY_FILE, _about(grid, command))
    return out


def _check_folder(out: Path) -> None:
    """Nothing of a study should come to lie among other things."""
    if out.is_dir() and not (out / STUDY_FILE).exists():
        # A study that was killed while it was made has some of these already.
        others = {path.name for path in out.iterdir()} - {".lock", _MOTION_FOLDER, CELLS_FOLDER, PLAN_FILE}
        if others:
            raise ValueError(f"{out} is not empty and no study ({min(others)} is there): name a new folder")


def _write_plan(grid: Grid, plans: Mapping[Cell, CellPlan], videos: Videos, memory: int | None, out: Path) -> None:
    limit, rows = equal_memory_rows(grid, plans, memory, videos)
    write_json(out / PLAN_FILE, {"memory": limit, "rows": rows})


def _about(grid: Grid, command: str) -> dict[str, Any]:
    sections = [
        {"title": section.title, "note": section.note, "cells": [asdict(cell) for cell in section.cells]}
        for section in grid.sections
    ]
    return {
        "title": grid.title,
        "sections": sections,
        "grid": grid.text,
        "command": command,
        "versions": package_versions(),
    }
