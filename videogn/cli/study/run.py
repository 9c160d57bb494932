"""videogn study run: every cell that is not finished, then the report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videogn.checks import check_choice
from videogn.cli.parsing import Parser
from videogn.cli.study.grid_options import add_grid_arguments, grid_of
from videogn.system.sizes import parse_size

if TYPE_CHECKING:
    from videogn.study import Grid

_ENGINES = ("local", "ray")
#: Less is a size without its unit.
_LEAST_MEMORY = 1 << 20


def parser() -> Parser:
    """Its arguments."""
    parser = Parser(
        prog="videogn study run",
        usage="videogn study run GRID --out OUT [options]",
        description="Train and test every cell of a grid that is not finished, then write the report. A cell that "
        "fails is recorded with its reason and the others go on. Ctrl-C lets the trainings write a checkpoint; the "
        "same command goes on where it stopped, also after a crash.",
    )
    add_grid_arguments(parser)
    whole: dict[str, Any] = {"type": int | None, "default": None}
    text: dict[str, Any] = {"type": str | None, "default": None}
    parser.add_argument("--out", type=str, required=True, help="Folder of the study.")
    parser.add_argument("--jobs", **whole, help="Cells at once; by default one, or one for each GPU of this machine.")
    parser.add_argument("--threads", **whole, help="CPU threads of a cell; by default they share the cores.")
    parser.add_argument("--retries", type=int, default=0, help="How often a cell that fails is tried again at once.")
    parser.add_argument("--skip-failed", action="store_true", help="Leave cells alone that failed in an earlier run.")
    parser.add_argument("--memory", **text, help="What the report's largest batches fit in, for instance 16GiB.")
    parser.add_argument("--engine", type=str, default="local", help="local: processes of this machine; ray.")
    parser.add_argument("--ray-address", **text, help="Of a running Ray cluster, or auto; by default one starts here.")
    return parser


def run(options: Any) -> int:
    """Make the study, run it, report.

    Args:
        options: of the parser.

    Returns:
        0, or 1 when a cell failed.
    """
    check_choice("--engine", options.engine, _ENGINES)
    if options.ray_address is not None and options.engine != "ray":
        raise ValueError("--ray-address needs --engine ray")
    return run_and_report(
        grid_of(options),
        options.out,
        engine=options.engine,
        ray_address=options.ray_address,
        jobs=options.jobs,
        threads=options.threads,
        retries=options.retries,
        skip_failed=options.skip_failed,
        memory=options.memory,
    )


def run_and_report(
    grid: Grid,
    out: str | Path,
    *,
    engine: str = "local",
    ray_address: str | None = None,
    jobs: int | None = None,
    threads: int | None = None,
    retries: int = 0,
    skip_failed: bool = False,
    memory: str | None = None,
) -> int:
    """Run a study with progress, then write and print its report.

    Args:
        grid: what to run.
        out: folder of the study.
        engine: local or ray.
        ray_address: of a running cluster, or None.
        jobs: cells at once.
        threads: CPU threads of a cell.
        retries: of a cell that fails.
        skip_failed: leave alone what failed before.
        memory: size for the frontier.

    Returns:
        0, or 1 when a cell failed.
    """
    from videogn.cli.progress import StudyProgress, bar
    from videogn.study.making import make_study
    from videogn.study.schedule import run_cells
    from videogn.study.study_files import only_one, place_of_study

    limit = memory or grid.memory
    if retries < 0:
        raise ValueError(f"retries must be >= 0, got {retries}")
    room = None if limit is None else parse_size(limit)
    if room is not None and room < _LEAST_MEMORY:
        raise ValueError(f"memory must be 1MiB or more, got {limit} ({room} bytes): did you mean {limit}GiB?")
    out = place_of_study(out)
    command = shlex.join(["videogn", *sys.argv[1:]])
    chosen = _engine(engine, ray_address, grid, jobs, threads)
    try:
        with only_one(out):
            with bar("Planning cells") as planning, bar("Writing videos") as writing:
                make_study(grid, out, command=command, memory=room, planning=planning, writing=writing)
            with StudyProgress() as progress:
                states = run_cells(
                    grid.cells, out, chosen, retries=retries, retry_failed=not skip_failed, report=progress
                )
    except KeyboardInterrupt:
        print("\nstopped; the same command goes on from here", file=sys.stderr)  # noqa: T201
        raise
    finally:
        chosen.close()
    failed = {cell: state.reason for cell, state in states.items() if state.phase == "failed"}
    for cell, reason in failed.items():
        print(f"{cell.name} failed: {reason}", file=sys.stderr)  # noqa: T201
    if any(state.phase == "finished" for state in states.values()):
        _report(out)
    return 1 if failed else 0


def _engine(name: str, address: str | None, grid: Grid, jobs: int | None, threads: int | None) -> Any:
    devices = grid.cells[0].devices
    if name == "ray":
        from videogn.study.ray_engine import RayEngine

        return RayEngine(address, jobs=jobs, devices_per_cell=devices, on_cpu=grid.on_cpu, threads=threads)
    from videogn.study.engines import LocalEngine, visible_gpus

    gpus = [] if grid.on_cpu else visible_gpus()
    return LocalEngine(jobs, devices_per_cell=devices, gpus=gpus, threads=threads)


def _report(out: Path) -> None:
    from videogn.report import markdown_tables, write_report
    from videogn.study import read_study

    study = read_study(out)
    page = write_report(study)
    print(f"\n{markdown_tables(study)}\nReport: {page} and {page.with_suffix('.md')}")  # noqa: T201
