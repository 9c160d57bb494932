"""videogn data: its actions, see `videogn.cli.actions`."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.cli.actions import run_action

#: Action -> (module with `parser()` and `run(options)`, what it does).
ACTIONS = {
    "index": (
        "videogn.cli.data.index",
        "Look into every video of a data set and write what is found to a Parquet file.",
    ),
    "check": ("videogn.cli.data.check", "Verify that the videos are still what an index says."),
    "resize": (
        "videogn.cli.data.resize",
        "Write small copies of an index's videos that are several times cheaper to read.",
    ),
    "explain": (
        "videogn.cli.data.explain",
        "Show which frames each clip of a video takes, as a table and a contact sheet.",
    ),
    "show": ("videogn.cli.data.show", "Count the videos of a folder, a list, a Kinetics CSV or an index."),
    "synth": ("videogn.cli.data.synth", "Write the synthetic motion data set as real H.264 files."),
}


def run(command: str, argv: Sequence[str]) -> int:
    """Run `videogn data ACTION ...`.

    Args:
        command: "data".
        argv: the action and its arguments.

    Returns:
        The action's status.
    """
    about = "Videos as they are found: what is there, what is wrong with it, and how to make it cheaper to read."
    return run_action(command, argv, ACTIONS, about)
