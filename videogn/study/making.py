"""From a grid to the folder of a study: its data, its plan, and a folder for every cell."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from videogn.checks import expanded
from videogn.study.cell import Cell, Section, fingerprint
from videogn.study.cell_files import check_settings, prepare
from videogn.study.grid import Grid, check_known
from videogn.study.planning import count_videos, equal_memory_rows, plan_cells, plan_entry
from videogn.study.study_files import (
    PLAN_FILE,
    STUDY_FILE,
    cell_folder,
    place_of_study,
    read_sections,
    read_test_clips,
    write_study,
)
from videogn.study.transfers import ClipOfTest, other_clips
from videogn.system.files import write_json
from videogn.system.versions import package_versions
from videogn.trust import KNOWN, check_trusted

_log = logging.getLogger(__name__)
Progress = Callable[[int, int], None]
_T = TypeVar("_T")


def make_study(
    grid: Grid,
    out: str | Path,
    *,
    command: str,
    memory: int | None = None,
    planning: Progress = lambda done, total: None,
    writing: Progress = lambda done, total: None,
) -> Path:
    """Write a study without results; what is there already stays, also cells that the grid does not have.

    Args:
        grid: Cells to write.
        out: Folder of the study, made if it does not exist.
        command: The command that was given the grid, for the report.
        memory: Bytes that the largest batches are planned for, or None.
        planning: Called with (cells planned, all cells).
        writing: Called with (videos written, all videos), where the study makes its data.

    Returns:
        The folder, absolute.

    Raises:
        ValueError: A finished cell of the study was run with other settings, the study's cells and the grid's cannot
            be compared, or a name or number is wrong.
    """
    out = place_of_study(out)
    check_known(grid)
    if grid.own_data is None:
        _check_videos(grid.base)
    given, grid = grid, with_other_cells(grid, out)
    check_trusted(out / STUDY_FILE, grid.names, [*KNOWN, *grid.trust, *given.names])
    videos = count_videos(grid)
    plans = plan_cells(grid, videos, measure=False, progress=planning)
    made = None if grid.own_data is None else grid.own_data.identity
    configs = {cell: cell.fit_config(grid.base) for cell in plans}
    for cell, config in configs.items():
        check_settings(cell_folder(out, cell), fingerprint(config, made))  # before anything is touched
    _tell(given, grid, out)
    data_root = None if grid.own_data is None else grid.own_data.write(out, writing)
    for cell, plan in plans.items():
        planned = plan_entry(plan)
        prepare(
            cell_folder(out, cell),
            cell,
            configs[cell],
            own_data=made,
            data_root=data_root,
            planned=planned,
            test_clips=other_clips(cell, grid.test_clips),
        )
    limit, rows = equal_memory_rows(plans, memory)
    write_json(out / PLAN_FILE, {"memory": limit, "rows": rows})
    write_study(
        out,
        title=grid.title,
        sections=grid.sections,
        grid=grid.text,
        command=command,
        versions=package_versions(),
        test_clips=grid.test_clips,
    )
    return out


def with_other_cells(grid: Grid, out: Path) -> Grid:
    """Add to a grid the cells of the study in a folder that it does not have: a new run must not hide them.

    Args:
        grid: The grid.
        out: Folder of the study; it need not exist.

    Returns:
        The grid with all cells and test clips of the study. A section that is in both has the cells of both; the
        order is the study's unless the grid has everything that the study has.

    Raises:
        ValueError: A section would have cells of unequal budgets.
    """
    old = {section.title: section for section in read_sections(out)}
    new = {section.title: section for section in grid.sections}
    sections = []
    for title in _joined(list(old), list(new)):
        given = [part[title] for part in (old, new) if title in part]
        cells = _joined(given[0].cells, given[-1].cells)
        _check_comparable(title, cells, out)
        sections.append(Section(title, given[-1].note, tuple(cells)))
    test_clips = _joined([ClipOfTest(*clip) for clip in read_test_clips(out)], grid.test_clips)
    return replace(grid, sections=tuple(sections), test_clips=tuple(test_clips))


def _joined(old: Sequence[_T], new: Sequence[_T]) -> list[_T]:
    return list(new) if set(old) <= set(new) else list(dict.fromkeys([*old, *new]))


def _check_comparable(title: str, cells: Sequence[Cell], out: Path) -> None:
    """Cells of one section have one budget, and steps of equally many clips or of equally many batches."""
    budgets = {(cell.budget, cell.scaling, cell.devices) for cell in cells}
    equal_steps = 1 in (len({cell.clips_per_step for cell in cells}), len({cell.accumulate for cell in cells}))
    if len(budgets) > 1 or not equal_steps:
        raise ValueError(
            f"{out} has cells with another budget, scaling or number of devices under the title {title!r}: give this "
            "budget a title of its own, or name another folder"
        )


def _tell(new: Grid, whole: Grid, out: Path) -> None:
    """Say how a study that is there already grows, unless the grid has all of it."""
    before = {cell for section in read_sections(out) for cell in section.cells}
    if besides := len(whole.cells) - len(new.cells):
        added = len(set(new.cells) - before)
        _log.warning("cells added to %s: %d; cells outside this grid, which stay: %d", out, added, besides)


def _check_videos(base: Mapping[str, Any]) -> None:
    """Refuse a study of videos that are not there."""
    data = base.get("data") or {}
    places = {name: data[name] for name in ("root", "train", "val", "test") if data.get(name) is not None}
    if not places:
        raise ValueError("no videos: add --set data.root=FOLDER, or motion: or images: to the grid")
    for name, place in places.items():
        if "://" not in str(place) and not expanded(place).exists():
            raise FileNotFoundError(f"no such file or folder: {place} (data.{name})")
