"""videogn study: its actions, see `videogn.cli.actions`."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.cli.actions import run_action

#: Action -> (module with `parser()` and `run(options)`, what it does).
ACTIONS = {
    "plan": ("videogn.cli.study.plan", "Show a grid's cells with their memory and predicted time; run nothing."),
    "run": ("videogn.cli.study.run", "Train and test every cell that is not finished, then write the report."),
    "status": ("videogn.cli.study.status", "Show how far every cell of a study is, and why some failed."),
    "report": ("videogn.cli.study.report", "Write report.md and report.html from what is finished."),
    "export-slurm": ("videogn.cli.study.export_slurm", "Write a Slurm job array that runs the cells on a cluster."),
    "cell": ("videogn.cli.study.run_cell", "Run one prepared cell: what engines and job arrays call."),
}


def run(command: str, argv: Sequence[str]) -> int:
    """Run `videogn study ACTION ...`.

    Args:
        command: "study".
        argv: the action and its arguments.

    Returns:
        The action's status.
    """
    about = "Grids of norm x clip length x batch size: planned, trained and tested, reported as the paper's table."
    return run_action(command, argv, ACTIONS, about)
