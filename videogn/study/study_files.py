"""The folder of a study: where its files lie, who may write them, and what they say to reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from videogn.checks import existing_path, expanded, reading
from videogn.study.cell import Cell, Section
from videogn.study.cell_files import LOCK_PATIENCE, CellResult, read_json
from videogn.study.own_data import OWN_DATA
from videogn.study.stated_cell import check_plan, check_test_clips
from videogn.study.trained import half_trained
from videogn.study.transfers import missing_clips, unfinished_state
from videogn.system.destination import check_folder
from videogn.system.files import make_folder, write_json

STUDY_FILE = "study.json"
PLAN_FILE = "plan.json"
CELLS_FOLDER = "cells"
_LOCK_FILE = ".lock"


@dataclass(frozen=True)
class Study:
    """Content of a study's folder.

    Attributes:
        title: Title of the last grid.
        folder: Folder of the study.
        sections: Cells by budget; the first section leads.
        results: Cell -> its result, for the finished ones.
        unfinished: Cell -> (phase, reason or None), for the others and those whose tests at other clip lengths are
            missing.
        plan: Rows as of `videogn plan --json` with `largest_batch`, for the frontier; may be empty.
        memory: Bytes that `largest_batch` is about, or None.
        grid: Text of the last grid.
        command: The command that was given it.
        versions: Package -> version.
        earlier: (command, grid) of the runs before that had other grids.
        test_clips: Length and interval of the clips that every cell is tested with besides its own.
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
    earlier: tuple[tuple[str, str], ...] = ()
    test_clips: tuple[tuple[int, int], ...] = ()

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every cell once, section by section."""
        return tuple(dict.fromkeys(cell for section in self.sections for cell in section.cells))


def cell_folder(out: Path, cell: Cell) -> Path:
    """Folder of a cell of the study in `out`."""
    return out / CELLS_FOLDER / cell.name


def place_of_study(out: str | Path) -> Path:
    """Check that a study can be, or is, in a folder: a study must not come to lie among other files.

    Args:
        out: The folder; it need not exist.

    Returns:
        The folder, absolute.

    Raises:
        ValueError: It is a file, or holds something else than a study.
    """
    out = expanded(out).resolve()
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a folder for the study")
    check_folder(out)
    if out.is_dir() and not (out / STUDY_FILE).exists():
        # A study that was killed while it was made has some of these already.
        others = {path.name for path in out.iterdir()} - {_LOCK_FILE, CELLS_FOLDER, PLAN_FILE, *OWN_DATA}
        if others:
            raise ValueError(f"{out} is not empty and no study ({min(others)} is there): name a new folder")
    return out


@contextmanager
def only_one(out: Path) -> Iterator[None]:
    """Keep others from making or running the study in a folder; the holder may ask again.

    Args:
        out: The folder, made if it does not exist.

    Raises:
        ValueError: Another process holds it, or it cannot be a study's.
    """
    out = place_of_study(out)
    make_folder(out)
    try:
        with FileLock(out / _LOCK_FILE, timeout=LOCK_PATIENCE, is_singleton=True):
            yield
    except Timeout as error:
        raise ValueError(f"another study is running in {out}") from error


def read_sections(out: Path) -> tuple[Section, ...]:
    """Read the cells of a study by budget; none where there is no study yet."""
    with reading(out / STUDY_FILE):
        return tuple(
            Section(section["title"], section["note"], tuple(map(Cell.read, section["cells"])))
            for section in read_json(out / STUDY_FILE).get("sections", ())
        )


def read_test_clips(out: Path) -> tuple[tuple[int, int], ...]:
    """Read the clips that every cell of a study is tested with besides its own: (length, interval)."""
    with reading(out / STUDY_FILE):
        clips = read_json(out / STUDY_FILE).get("test_clips", [])
        check_test_clips(clips)
        return tuple((length, interval) for length, interval in clips)


def write_study(
    out: Path,
    *,
    title: str,
    sections: tuple[Section, ...],
    grid: str,
    command: str,
    versions: Mapping[str, str | None],
    test_clips: Sequence[tuple[int, int]] = (),
) -> None:
    """Write what a study is; commands with other grids before this one are kept.

    Args:
        out: Folder of the study.
        title: Title of the grid.
        sections: Cells by budget.
        grid: Text of the grid.
        command: The command that was given it.
        versions: Package -> version.
        test_clips: Length and interval of the clips that every cell is tested with besides its own.
    """
    before = read_json(out / STUDY_FILE)
    earlier = before.get("earlier", [])
    earlier += [[before["command"], before["grid"]]] if before else []
    content = {
        "title": title,
        "sections": [asdict(section) for section in sections],
        "grid": grid,
        "command": command,
        "earlier": [[text, other] for text, other in earlier if other != grid],
        "versions": dict(versions),
        "test_clips": [list(clip) for clip in test_clips],
    }
    write_json(out / STUDY_FILE, content)


def read_study(out: str | Path) -> Study:
    """Read a study's folder.

    Args:
        out: The folder.

    Returns:
        The study, finished or not.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: It is not the folder of a study.
    """
    out = existing_path(out)
    content = read_json(out / STUDY_FILE)
    if not content:
        raise ValueError(f"{out} is not the folder of a study: it has no {STUDY_FILE}")
    sections = read_sections(out)
    plan = read_json(out / PLAN_FILE)
    with reading(out / PLAN_FILE):
        check_plan(plan)
    results, unfinished = {}, {}
    for cell in dict.fromkeys(cell for section in sections for cell in section.cells):
        folder = cell_folder(out, cell)
        result = None if half_trained(folder) else CellResult.read(folder)
        if result is not None:
            results[cell] = result
        if result is None or missing_clips(folder):
            unfinished[cell] = unfinished_state(folder)
    with reading(out / STUDY_FILE):
        return Study(
            title=str(content["title"]),
            folder=out,
            sections=sections,
            results=results,
            unfinished=unfinished,
            plan=tuple(plan.get("rows", ())),
            memory=plan.get("memory"),
            grid=content["grid"],
            command=content["command"],
            versions=dict(content["versions"]),
            earlier=tuple((command, grid) for command, grid in content.get("earlier", ())),
            test_clips=read_test_clips(out),
        )
