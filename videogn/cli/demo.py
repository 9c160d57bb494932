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
<<<<<<< HEAD
    from videogn.cli.study.run import RunOptions, run_and_report
    from videogn.study.demo_grid import demo_grid

    out = options.out or ("demo-quick" if options.quick else "demo")
    return run_and_report(demo_grid(options.quick), RunOptions(out=out, jobs=options.jobs))
=======
    parser = Parser(
        prog="videogn demo",
        description="Write the synthetic motion data set, train BN and GN on clips of 8 frames at interval 2 (batch 8 "
        "and 2) and of 16 frames at interval 1 (batch 2), test each with 10 clips a video, and write the page with the "
        "table and the figures. On a CPU, with nothing downloaded; run it again to go on where it stopped.",
    )
    parser.add_argument("--out", type=str | None, default=None, help="Folder; demo, or demo-quick, by default.")
    parser.add_argument(
        "--quick", action="store_true", help="A smoke run of few videos and epochs, which learns little."
    )
    parser.add_argument("--jobs", type=int, default=available_cores(), help="Cells that run at once.")
    options = parser.parse_args(list(argv))
    from videogn.cli.study.run import run_and_report
    from videogn.study import read_grid

    out = options.out or ("demo-quick" if options.quick else "demo")
    return run_and_report(read_grid("motion_demo_quick" if options.quick else "motion_demo"), out, jobs=options.jobs)
>>>>>>> study
