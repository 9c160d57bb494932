"""EPIC-KITCHENS-100: CSV of narrated actions, each from a start to a stop in a video."""

from __future__ import annotations

from videogn.data.lists.columns import option
from videogn.data.lists.listed import Listed
from videogn.data.lists.tables import Table, read_table

_COLUMNS = {"path": "video_id", "start_time": "start_timestamp", "end_time": "stop_timestamp"}


def is_epic(table: Table) -> bool:
    """Whether a list has the columns of EPIC-KITCHENS."""
    return {"narration_id", *_COLUMNS.values()} <= {*table.first}


def read_epic(table: Table) -> Listed:
    """Read a list of EPIC-KITCHENS-100. Videos are found by their ids, and their parts are in seconds.

    Returns:
        The rows.

    Raises:
        ValueError: If no column of labels was asked for, or a line is wrong.
    """
    if "label" not in table.file.columns:
        raise ValueError(
            f"{table.file.source}: EPIC-KITCHENS has several labels for an action: say which, for instance "
            f"{option('label=verb_class')}"
        )
    frames = "start_frame" in table.file.columns
    return read_table(table, {"path": _COLUMNS["path"]} if frames else _COLUMNS)
