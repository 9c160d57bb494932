"""Rows of predictions as a table for reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from videogn.data.stored_paths import opened_path
from videogn.system.displayable import one_line

if TYPE_CHECKING:
    from videogn.inference.bulk.rows import Row


def table_of(rows: Iterable[Row]) -> Table:
    """Make the table: video, class, score, the best class first."""
    table = Table(Column("video", overflow="fold"), Column("class", overflow="fold"), "score")
    for row in rows:
        video = one_line(opened_path(row["path"]))
        if "error" in row:
            table.add_row(video, Text(one_line(row["error"]), "red"), "")
        for rank, named in enumerate(row.get("predictions", ())):
            table.add_row(video if rank == 0 else "", one_line(named["label"]), f"{named['score']:.1%}")
        if "truncated" in row:
            table.add_row("", Text(one_line(row["truncated"]), "yellow"), "")
        table.add_section()
    return table
