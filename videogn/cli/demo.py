"""videogn demo: the synthetic data set, a small Table 8 on it, and the report."""

from __future__ import annotations

from dataclasses import dataclass, field

from videogn.system.cores import available_cores


@dataclass(frozen=True)
class Options:
    """Train and compare BN and GN on synthetic videos, on a CPU, with nothing downloaded.

    Writes the synthetic motion data set, trains BN and GN on clips of 8 frames at interval 2 (batch 8 and 2) and of 16
    frames at interval 1 (batch 2), tests each with 10 clips per video, and writes the page with the table and the
    figures. The same command resumes it after a stop.

    Attributes:
        out: Folder to write to. By default demo, or demo-quick.
        quick: Make a smoke run of few videos and epochs, which learns little.
        jobs: Number of cells that run at once.
    """

    out: str | None = None
    quick: bool = False
    jobs: int = field(default_factory=available_cores)


def run(options: Options) -> int:
    """Make the data, run the six cells and report.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a cell failed.
    """
    from videogn.cli.study.run import RunOptions, run_and_report
    from videogn.study import read_grid

    out = options.out or ("demo-quick" if options.quick else "demo")
    grid = read_grid("motion_demo_quick" if options.quick else "motion_demo")
    return run_and_report(grid, RunOptions(out=out, jobs=options.jobs))
