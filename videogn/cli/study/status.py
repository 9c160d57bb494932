"""videogn study status: the progress of every cell."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from videogn.system.displayable import one_line
from videogn.system.sizes import counted

if TYPE_CHECKING:
    from videogn.study import Cell, Study


@dataclass(frozen=True)
class Options:
    """Show the progress of every cell, and why some failed.

    Attributes:
        folder: Folder of the study.
        json: Print the rows as JSON.
    """

    folder: str
    json: bool = False


def run(options: Options) -> int:
    """Print the cells.

    Args:
        options: Options of the command.

    Returns:
        0.
    """
    from videogn.study import read_study

    study = read_study(options.folder)
    rows = [_row(study, cell) for cell in study.cells]
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        _print_table(rows)
    return 0


def _row(study: Study, cell: Cell) -> dict[str, Any]:
    from videogn.study.cell_files import check_complete, is_running, part_done, read_state
    from videogn.study.study_files import cell_folder
    from videogn.study.training_log import read_curve

    folder = cell_folder(study.folder, cell)
    attempts = read_state(folder)["attempts"]
    phase, reason = study.unfinished.get(cell, ("finished", None))
    if phase in ("training", "testing") and not is_running(folder):
        phase = "interrupted"
    result = study.results.get(cell)
    check_complete([result] if result else [], ["over_all.top1"])
    curve = read_curve(folder, cell)
    return {
        "cell": cell.name,
        "phase": phase,
        "epochs": curve[-1].epoch if curve else 0,
        "done": 1.0 if result else part_done(folder) if folder.is_dir() else 0.0,
        "top1": result.test["over_all"]["top1"] if result else None,
        "training_seconds": result.cost.get("training_seconds") if result else None,
        "attempts": attempts,
        "reason": reason,
    }


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    # 80 columns have room for the usual names; attempts are told where a cell took several.
    several = any(row["attempts"] > 1 for row in rows)
    titles = ["state", "top-1", "training", *(["attempts"] if several else [])]
    table = Table(Column("cell", overflow="fold"), *titles, box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    for row in rows:
        seconds = row["training_seconds"]
        begun = row["phase"] != "finished" and row["done"] > 0
        table.add_row(
            one_line(row["cell"]),
            f"{row['phase']} {row['done']:.0%}" if begun else row["phase"],
            "" if row["top1"] is None else f"{100 * row['top1']:.1f} %",
            "" if seconds is None else str(timedelta(seconds=round(seconds))),
            *([str(row["attempts"])] if several else []),
        )
    console = PlainConsole(160)
    console.print(table, "")
    for row in rows:
        if row["reason"]:
            console.print(one_line(f"{row['cell']} {row['phase']}: {row['reason']}"), soft_wrap=True)
    phases = [row["phase"] for row in rows]
    counts = ", ".join(f"{phases.count(phase)} {phase}" for phase in dict.fromkeys(phases))
    console.print(f"{counted(len(rows), 'cell')}: {counts}")
