"""videogn study plan: cells, memory and predicted time of a grid, before anything runs."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

from videogn.checks import check_choice
from videogn.cli.parsing import Parser
from videogn.cli.study.grid_options import add_grid_arguments, grid_of
from videogn.system.sizes import format_size


def parser() -> Parser:
    """Its arguments."""
    parser = Parser(
        prog="videogn study plan",
        usage="videogn study plan GRID [options]",
        description="Show every cell of a grid with the memory that its training step needs and the time that it is "
        "predicted to take, from a step of each kind of cell that is run here. Nothing is written.",
    )
    add_grid_arguments(parser)
    parser.add_argument("--no-time", action="store_true", help="Leave the prediction of time out: no step is run.")
    parser.add_argument(
        "--device",
        type=str | None,
        default=None,
        help="Where the timed steps run, cpu or cuda: by default where the grid trains, if that is here.",
    )
    parser.add_argument("--json", action="store_true", help="Print rows as JSON; bytes and seconds.")
    return parser


def run(options: Any) -> int:
    """Plan it.

    Args:
        options: of the parser.

    Returns:
        0.
    """
    import torch

    grid = grid_of(options)
    if options.device is None:
        options.device = "cpu" if grid.on_cpu else "cuda"
        options.no_time = options.no_time or not (grid.on_cpu or torch.cuda.is_available())
    check_choice("--device", options.device, ("cpu", "cuda"))
    if options.device == "cuda" and not options.no_time and not torch.cuda.is_available():
        raise ValueError("--device cuda: there is no GPU here; take --device cpu, or --no-time")
    from videogn.cli.progress import bar
    from videogn.study.grid import check_known
    from videogn.study.planning import count_videos, plan_cells, total_seconds

    check_known(grid.base)
    videos = count_videos(grid)
    with bar("Planning cells") as progress:
        plans = plan_cells(grid, videos, measure=not options.no_time, device=options.device, progress=progress)
    rows = [
        {
            "cell": cell.name,
            "norm": cell.norm.label,
            "clip_length": cell.clip_length,
            "interval": cell.interval,
            "batch_size": cell.batch_size,
            "clips_per_step": cell.clips_per_step,
            "memory_mode": cell.memory_mode,
            "seed": cell.seed,
            "steps": plan.steps,
            **{key: plan.row.get(key) for key in ("activation_bytes", "peak_bytes", "parameters", "multiply_adds")},
            "seconds": None if plan.seconds is None else round(plan.seconds, 1),
        }
        for cell, plan in plans.items()
    ]
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    else:
        _print_table(rows, total_seconds(list(plans.values())), options)
    return 0


def _print_table(rows: list[dict[str, Any]], seconds: float | None, options: Any) -> None:
    from rich.console import Console
    from rich.table import Column, Table

    timed = not options.no_time
    table = Table(Column("cell", overflow="fold"), "clips a step", "steps", "activations", "peak memory")
    if timed:
        table.add_column("predicted time")
    for row in rows:
        times = [_or_dash(row["seconds"], _duration)] if timed else []
        table.add_row(
            row["cell"],
            str(row["clips_per_step"]),
            _or_dash(row["steps"], str),
            _or_dash(row["activation_bytes"], format_size),
            _or_dash(row["peak_bytes"], format_size),
            *times,
        )
    console = Console(width=None if sys.stdout.isatty() else 140)
    console.print(table)
    total = f", one after the other: {_or_dash(seconds, _duration)} of training and testing alone" if timed else ""
    console.print(f"{len(rows)} cells{total}.")
    if timed:
        console.print(
            f"Times: steps of each kind timed on {options.device} here, with the threads that torch takes here "
            "(OMP_NUM_THREADS), and validations and the test at a third of a step a clip. Left out: starting (some ten "
            "seconds a cell), loading, decoding, larger frames in the test."
        )
    else:
        console.print("No times: --device cpu or cuda times a step here, on a machine like the one that will train.")
    if any(row["peak_bytes"] is None or row["steps"] is None for row in rows):
        console.print("A dash: the number of videos, or the memory of the number format, is not known here.")


def _or_dash(value: Any, form: Any) -> str:
    return "-" if value is None else form(value)


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds))) if seconds >= 1 else "< 1 s"
