"""videogn study plan: cells, memory and predicted time of a grid, before anything runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from videogn.choices import DeviceName
from videogn.cli.study.grid_options import GridOptions
from videogn.system.displayable import one_line
from videogn.system.sizes import counted, format_size

if TYPE_CHECKING:
    from videogn.report.power import Spread
    from videogn.study import Cell
    from videogn.study.planning import CellPlan
    from videogn.study.transfers import ClipOfTest


@dataclass(frozen=True, kw_only=True)
class Options(GridOptions):
    """Show every cell of a grid with the memory that its training step needs and its predicted time.

    The time is predicted from one training step of each kind of cell, which is run here. Nothing is written.

    Attributes:
        no_time: Leave out the prediction of time; no step is run.
        device: Device of the timed steps. By default the one that the grid trains on, if it is here.
        spread_of (DIR): Folder of an earlier study, whose spread over seeds says how many seeds show a difference.
        json: Print the rows as JSON, in bytes and seconds.
    """

    spread_of: str | None = None
    no_time: bool = False
    device: DeviceName | None = None
    json: bool = False


def run(options: Options) -> int:
    """Print the plan.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        ValueError: If the grid or an option is wrong, or there is no GPU to time steps on.
    """
    import torch

    grid = options.read()
    device = options.device or ("cpu" if grid.on_cpu else "cuda")
    here = device == "cpu" or torch.cuda.is_available()
    if options.device is not None and not here and not options.no_time:
        raise ValueError("--device cuda: there is no GPU here; take --device cpu, or --no-time")
    timed = here and not options.no_time
    from videogn.cli.progress import bar
    from videogn.report.power import power_lines, seeds_needed
    from videogn.study.grid import check_known
    from videogn.study.planning import count_videos, plan_cells, total_seconds
    from videogn.study.transfers import other_clips

    check_known(grid)
    spread = None if options.spread_of is None else _spread(options.spread_of)
    videos = count_videos(grid)
    with bar("Planning cells") as progress:
        plans = plan_cells(grid, videos, measure=timed, device=device, progress=progress)
    rows = [_row(cell, plan, other_clips(cell, grid.test_clips)) for cell, plan in plans.items()]
    if options.json:
        needed = None if spread is None else seeds_needed(spread.pooled)
        print(json.dumps([{**row, "seeds_needed": needed} for row in rows], indent=2))
        return 0
    _print_table(rows, total_seconds(list(plans.values())), device if timed else None)
    if spread is not None:
        print("", *power_lines(spread, str(options.spread_of)), sep="\n")
    return 0


def _spread(folder: str) -> Spread:
    """Spread of the study in a folder; without one, the question cannot be answered."""
    from videogn.report.power import spread_of
    from videogn.study import read_study

    spread = spread_of(read_study(folder))
    if spread is None:
        raise ValueError(f"--spread-of {folder}: no two norms have two seeds in common whose difference varies")
    return spread


def _row(cell: Cell, plan: CellPlan, tested: Sequence[ClipOfTest]) -> dict[str, Any]:
    settings = ("clip_length", "interval", "batch_size", "clips_per_step", "memory_mode", "seed")
    needs = ("activation_bytes", "peak_bytes", "parameters", "multiply_adds")
    return {
        "cell": cell.name,
        "norm": cell.norm.label,
        **{name: getattr(cell, name) for name in settings},
        "steps": plan.steps,
        **{name: plan.row.get(name) for name in needs},
        "test_clips": [clip.name for clip in tested],
        "test_bytes": plan.test_bytes,
        "seconds": None if plan.seconds is None else round(plan.seconds, 1),
    }


def _print_table(rows: list[dict[str, Any]], seconds: float | None, device: str | None) -> None:
    from rich import box
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    # Titles of two lines: 80 columns are few.
    titles = ["clips\na step", "steps", "activations", "peak\nmemory", *(["predicted\ntime"] if device else [])]
    table = Table(Column("cell", overflow="fold"), *titles, box=box.SIMPLE, padding=(0, 1, 0, 0), show_edge=False)
    for row in rows:
        times = [_or_dash(row["seconds"], _duration)] if device else []
        table.add_row(
            one_line(row["cell"]),
            str(row["clips_per_step"]),
            _or_dash(row["steps"], str),
            _or_dash(row["activation_bytes"], format_size),
            _or_dash(_peak(row), format_size),
            *times,
        )
    console = PlainConsole(140)
    console.print(table, "")
    total = f", one after the other: {_or_dash(seconds, _duration)} of training and testing alone" if device else ""
    console.print(f"{counted(len(rows), 'cell')}{total}.")
    if clips := sorted({clip for row in rows for clip in row["test_clips"]}):
        console.print(f"Tested besides on clips of {', '.join(clips)} (not its own); peak memory and time say so.")
    if device:
        console.print(
            f"Times: steps of each kind timed on {device} here, with the threads that torch takes here "
            "(OMP_NUM_THREADS), and validations and the test at a third of a step a clip. Left out: starting (some ten "
            "seconds a cell), loading, decoding, larger frames in the test."
        )
    else:
        console.print("No times: --device cpu or cuda times a step here, on a machine like the one that will train.")
    if any(row["peak_bytes"] is None or row["steps"] is None for row in rows):
        console.print("A dash: the number of videos, or the memory of the number format, is not known here.")


def _peak(row: dict[str, Any]) -> int | None:
    """Of a training step, or of a test at other clip lengths where that needs more."""
    return None if row["peak_bytes"] is None else max(row["peak_bytes"], row["test_bytes"] or 0)


def _or_dash(value: Any, form: Any) -> str:
    return "-" if value is None else form(value)


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if seconds >= 1 else "< 1 s"
