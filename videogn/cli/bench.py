"""videogn bench: measure a part of the work on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.cli.actions import run_action

#: What is measured -> (module with `parser()` and `run(options)`, what it does).
ACTIONS = {
    "data": ("videogn.cli.bench_data", "Where the time of loading videos goes, and how many workers pay."),
}


def run(command: str, argv: Sequence[str]) -> int:
    """Run a measurement.

    Args:
        command: "bench".
        argv: what is measured, and its arguments.

    Returns:
        The measurement's status.
    """
    return run_action(command, argv, ACTIONS, "Measure a part of the work on this machine.")
