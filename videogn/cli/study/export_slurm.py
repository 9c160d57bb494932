"""videogn study export-slurm: a study's cells as a Slurm job array."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from videogn.cli.study.grid_options import GridOptions
from videogn.cli.study.run import make, memory_limit

if TYPE_CHECKING:
    from videogn.study import Grid
    from videogn.study.slurm import Job

#: Slurm's MaxArraySize, unless a cluster sets another.
_USUAL_ARRAY_SIZE = 1001


@dataclass(frozen=True, kw_only=True)
class Options(GridOptions):
    """Write a study's folder with a Slurm job array of the cells that are not finished, to submit with sbatch.

    At the time limit the training run writes a checkpoint and the task is requeued, until the cell is finished. The
    folder, the data and this installation must be on a file system that the nodes share.

    Attributes:
        out: Folder of the study.
        time (LIMIT): Time limit of a task, as Slurm writes it.
        partition: Partition. By default the cluster's own.
        gpus_per_cell: Number of GPUs per cell. By default a cell's devices, or 0 if it uses the CPU.
        cpus_per_cell: Number of CPUs per cell. By default one for each training and loader process.
        at_once: Number of cells that run at once. By default as many as Slurm has room for.
        sbatch (KEY=VALUE): Further options of sbatch, without dashes, for instance account=vision mem=64G.
    """

    out: str
    time: str = "24:00:00"
    partition: str | None = None
    gpus_per_cell: int | None = None
    cpus_per_cell: int | None = None
    at_once: int | None = None
    sbatch: tuple[str, ...] = ()


def run(options: Options) -> int:
    """Write the study and its job array.

    Args:
        options: Options of the command.

    Returns:
        0.
    """
    from videogn.study.making import with_other_cells
    from videogn.study.slurm import check_line, unfinished_cells, write_array
    from videogn.study.study_files import only_one, place_of_study

    out = place_of_study(options.out)
    check_line("the folder of a study", str(out))
    grid = with_other_cells(options.read(), out)
    job = _job(grid, options)  # refused before videos are written
    with only_one(out):
        make(grid, out, memory_limit(grid.memory))
    folders = unfinished_cells(grid, out)
    report = f"videogn study report {shlex.quote(str(out))}"
    if not folders:
        print(f"every cell is finished; next: {report}")
        return 0
    script = write_array(folders, out, job, directory=Path.cwd(), trust=grid.trust)
    print(f"{len(folders)} of the study's {len(grid.cells)} cells are not finished: one task each. Next:")
    print(f"  sbatch {shlex.quote(str(script))}")
    print(f"  videogn study status {shlex.quote(str(out))}\n  {report}")
    if len(folders) >= _USUAL_ARRAY_SIZE:
        print("This may be more than the cluster's MaxArraySize: see scontrol show config.")
    return 0


def _job(grid: Grid, options: Options) -> Job:
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
