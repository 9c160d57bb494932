"""Rows of segments as a table for reading."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.table import Column, Table
from rich.text import Text

from videogn.data.stored_paths import opened_path
from videogn.system.displayable import one_line

if TYPE_CHECKING:
    from videogn.inference.bulk.rows import Row


def segment_table(rows: Iterable[Row]) -> Table:
    """Make the table: video, start, end, class, score, in the order of time."""
    table = Table(
        Column("video", overflow="fold"),
        Column("start", justify="right"),
        Column("end", justify="right"),
        Column("class", overflow="fold"),
        Column("score", justify="right"),
    )
    for row in rows:
        video = one_line(opened_path(row["path"]))
        if "error" in row:
            table.add_row(video, "", "", Text(one_line(row["error"]), "red"), "")
        for place, segment in enumerate(row.get("segments", ())):
            times = (clock(segment["start"]), clock(segment["end"]))
            table.add_row("" if place else video, *times, one_line(segment["label"]), f"{segment['score']:.1%}")
        if row.get("segments") == []:
            table.add_row(video, "", "", "no segment", "")
        if "truncated" in row:
            table.add_row("", "", "", Text(one_line(row["truncated"]), "yellow"), "")
        table.add_section()
    return table


def clock(seconds: float) -> str:
    """Write a time as on a clock: 7.5 is "0:07.5", 3661 is "1:01:01.0"."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}:{minutes:02}" if hours else f"{minutes}"
    return f"{front}:{rest // 10:02}.{rest % 10}"
