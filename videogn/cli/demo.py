"""videogn demo: the synthetic data set, a small Table 8 on it, and the report."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.cli.parsing import Parser
from videogn.system.cores import available_cores


def run(command: str, argv: Sequence[str]) -> int:
    """Make the data, run the six cells, report.

    Args:
        command: "demo".
        argv: its arguments.

    Returns:
        0, or 1 when a cell failed.
    """
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
