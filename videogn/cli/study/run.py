"""videogn study run: every cell that is not finished, then the report."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.checks import require_at_least
from videogn.choices import EngineName
from videogn.cli.study.grid_options import GridOptions
from videogn.cli.study.report import write_and_print
from videogn.system.displayable import one_line
from videogn.system.sizes import counted, parse_size
from videogn.system.stopping import Stopped

if TYPE_CHECKING:
    from videogn.study import Grid

#: Smallest memory in bytes; less is a size without its unit.
_LEAST_MEMORY = 1 << 20


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Folder of a study, and the resources for its cells.

    Attributes:
        out: Folder of the study.
        jobs: Number of cells that run at once. By default one, or one for each GPU of this machine.
        threads: Number of CPU threads per cell. By default they share the cores.
        retries: Number of times that a failed cell is tried again at once.
        skip_failed: Leave out cells that failed in an earlier run.
        memory (SIZE): Memory that the report's largest batches fit in, for instance 16GiB.
        engine: local (processes on this machine) or ray.
        ray_address (ADDRESS): Address of a running Ray cluster, or auto. By default one is started here.
    """

    out: str
    jobs: int | None = None
    threads: int | None = None
    retries: int = 0
    skip_failed: bool = False
    memory: str | None = None
    engine: EngineName = "local"
    ray_address: str | None = None


@dataclass(frozen=True, kw_only=True)
class Options(RunOptions, GridOptions):
    """Train and test every cell of a grid that is not finished, then write the report.

    A cell that fails is recorded with its reason, and the others continue. On Ctrl-C every training run writes a
    checkpoint; the same command resumes them, also after a crash.
    """


def run(options: Options) -> int:
    """Make the study, run it and report.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a cell failed.
    """
    return run_and_report(options.read(), options)


def run_and_report(grid: Grid, options: RunOptions) -> int:
    """Run a study with progress, then write and print its report.

    Args:
        grid: Cells to run.
        options: Folder of the study, and the resources for its cells.

    Returns:
        0, or 1 if a cell failed.

    Raises:
        ValueError: If an option is wrong.
    """
    from videogn.cli.progress import StudyProgress
    from videogn.study.schedule import run_cells
    from videogn.study.study_files import cell_folder, only_one, place_of_study
    from videogn.study.transfers import is_finished

    require_at_least("--retries", options.retries, 0)
    memory = memory_limit(options.memory or grid.memory)
    out = place_of_study(options.out)
    engine = _engine(grid, options)
    try:
        with only_one(out):
            make(grid, out, memory)
            with StudyProgress() as progress:
                states = run_cells(
                    grid.cells,
                    out,
                    engine,
                    retries=options.retries,
                    retry_failed=not options.skip_failed,
                    report=progress,
                )
    except Stopped as stop:
        done = sum(is_finished(cell_folder(out, cell)) for cell in grid.cells)
        stop.how = f"{done:,} of {counted(len(grid.cells), 'cell')} finished; the same command goes on"
        raise
    finally:
        engine.close()
    failed = {cell: state.reason for cell, state in states.items() if state.phase == "failed"}
    for cell, reason in failed.items():
        print(one_line(f"{cell.name} failed: {reason}"), file=sys.stderr)
    if any(state.phase == "finished" for state in states.values()):
        print()
        write_and_print(out)
    return 1 if failed else 0


def memory_limit(size: str | None) -> int | None:
    """Read the memory that the report's largest batches fit in.

    Args:
        size: Size with its unit, for instance "16GiB", or None.

    Returns:
        Number of bytes, or None.

    Raises:
        ValueError: If it is not a size, or less than 1 MiB.
    """
    memory = None if size is None else parse_size(size)
    if memory is not None and memory < _LEAST_MEMORY:
        raise ValueError(f"memory must be 1MiB or more, got {size} ({memory} bytes): did you mean {size}GiB?")
    return memory


def make(grid: Grid, out: Path, memory: int | None) -> None:
    """Write the folder of a study, with progress.

    Args:
        grid: Cells of the study.
        out: Folder of the study.
        memory: Memory in bytes that the report's largest batches fit in, or None.
    """
    from videogn.cli.progress import bars
    from videogn.study.making import make_study

    command = shlex.join(["videogn", *sys.argv[1:]])
    with bars() as advance:
        planning, writing = (partial(advance, name) for name in ("Planning cells", "Writing data"))
        make_study(grid, out, command=command, memory=memory, planning=planning, writing=writing)


def _engine(grid: Grid, options: RunOptions) -> Any:
    if options.ray_address is not None and options.engine != "ray":
        raise ValueError("--ray-address needs --engine ray")
    devices = grid.cells[0].devices
    if options.engine == "ray":
        from videogn.study.ray_engine import RayEngine

        return RayEngine(
            options.ray_address,
            jobs=options.jobs,
            devices_per_cell=devices,
            on_cpu=grid.on_cpu,
            threads=options.threads,
            trust=grid.trust,
        )
    from videogn.study.engines import LocalEngine
    from videogn.system.gpus import visible_gpus

    gpus = [] if grid.on_cpu else visible_gpus()
    return LocalEngine(options.jobs, devices_per_cell=devices, gpus=gpus, threads=options.threads, trust=grid.trust)
