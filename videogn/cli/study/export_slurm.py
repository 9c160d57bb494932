"""videogn study export-slurm: a study's cells as a Slurm job array."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.cli.parsing import Parser
from videogn.cli.study.grid_options import add_grid_arguments, grid_of

if TYPE_CHECKING:
    from videogn.study import Grid

#: Slurm's MaxArraySize, unless a cluster sets another.
_USUAL_ARRAY_SIZE = 1001


def parser() -> Parser:
    """Its arguments."""
    parser = Parser(
        prog="videogn study export-slurm",
        usage="videogn study export-slurm GRID --out OUT [options]",
        description="Write a study's folder with a Slurm job array of the cells that are not finished, to submit with "
        "sbatch. At the time limit the training writes a checkpoint and the task is requeued, until the cell is "
        "finished. The folder, the data and this installation have to be on a file system that the nodes share.",
    )
    add_grid_arguments(parser)
    whole: dict[str, Any] = {"type": int | None, "default": None}
    parser.add_argument("--out", type=str, required=True, help="Folder of the study.")
    parser.add_argument("--time", type=str, default="24:00:00", help="Time limit of a task, as Slurm writes it.")
    parser.add_argument("--partition", type=str | None, default=None, help="By default the cluster's own.")
    parser.add_argument("--gpus-per-cell", **whole, help="By default a cell's devices, or 0 where it uses the CPU.")
    parser.add_argument("--cpus-per-cell", **whole, help="By default one for each training and loader process.")
    parser.add_argument("--at-once", **whole, help="Cells at once; by default as many as Slurm has room for.")
    parser.add_argument(
        "--sbatch",
        type=str,
        nargs="+",
        default=[],
        metavar="KEY=VALUE",
        help="Further options of sbatch, without dashes, for instance account=vision mem=64G.",
    )
    return parser


def run(options: Any) -> int:
    """Write it.

    Args:
        options: of the parser.

    Returns:
        0.
    """
    from videogn.cli.progress import bar
    from videogn.study.making import make_study, with_other_cells
    from videogn.study.slurm import unfinished_cells, write_array
    from videogn.study.study_files import only_one, place_of_study
    from videogn.system.sizes import parse_size

    out = place_of_study(options.out)
    grid = with_other_cells(grid_of(options), out)
    job = _job(grid, options)  # whatever is wrong with it should be known before videos are written
    with only_one(out), bar("Planning cells") as planning, bar("Writing videos") as writing:
        make_study(
            grid,
            out,
            command=shlex.join(["videogn", *sys.argv[1:]]),
            memory=None if grid.memory is None else parse_size(grid.memory),
            planning=planning,
            writing=writing,
        )
    folders = unfinished_cells(grid, out)
    report = f"videogn study report {shlex.quote(str(out))}"
    if not folders:
        print(f"every cell is finished; next: {report}")  # noqa: T201
        return 0
    script = write_array(folders, out, job, directory=Path.cwd())
    print(f"{len(folders)} of the study's {len(grid.cells)} cells are not finished: one task each. Next:")  # noqa: T201
    print(f"  sbatch {shlex.quote(str(script))}")  # noqa: T201
    print(f"  videogn study status {shlex.quote(str(out))}\n  {report}")  # noqa: T201
    if len(folders) >= _USUAL_ARRAY_SIZE:
        print("This may be more than the cluster's MaxArraySize: see scontrol show config.")  # noqa: T201
    return 0


def _job(grid: Grid, options: Any) -> Any:
    from videogn.study.slurm import Job

    devices = max(cell.devices for cell in grid.cells)
    workers = (grid.base.get("data") or {}).get("num_workers", _default_workers())
    gpus = (0 if grid.on_cpu else devices) if options.gpus_per_cell is None else options.gpus_per_cell
    return Job(
        time=options.time,
        gpus=gpus,
        cpus=devices * (1 + workers) if options.cpus_per_cell is None else options.cpus_per_cell,
        devices=devices,
        partition=options.partition,
        at_once=options.at_once,
        options=tuple(text.removeprefix("--") for text in options.sbatch),
    )


def _default_workers() -> int:
    import inspect

    from videogn.data.datamodule import VideoDataModule

    return int(inspect.signature(VideoDataModule).parameters["num_workers"].default)
