"""Tables of an index: numbers of videos by status, and the first videos of a list."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pyarrow.compute as pc
from rich.table import Column, Table

from videogn.data.parquet_index import usable
from videogn.data.records import segment_of
from videogn.data.stored_paths import opened_path
from videogn.indexing.catalogue import STATUSES, files_of, late_parts
from videogn.system.displayable import one_line
from videogn.system.sizes import counted, format_size

if TYPE_CHECKING:
    from rich.console import Console

    from videogn.indexing.catalogue import Catalogue

#: Status -> (name, meaning).
_MEANINGS = {
    "ok": ("ok", "every frame decodes"),
    "short": ("too short", "fewer than {min_frames} frames, which all decode; usable"),
    "slow": ("slow", "not decoded within the time limit, good so far; usable"),
    "truncated": ("truncated", "the end is missing"),
    "corrupt": ("corrupt", "cannot be opened, or frames are damaged"),
    "empty": ("empty", "0 bytes"),
    "missing": ("missing", "listed, but not there"),
}
_PACKETS_ONLY = {"ok": "its packets are there; frames were not decoded (--quick)"}
_STYLES = {"ok": "green", "short": "yellow", "slow": "yellow"}
#: Number of unusable videos that are printed one by one.
_SHOWN = 10


def summary_table(catalogue: Catalogue) -> Table:
    """Count the videos of an index by status.

    Args:
        catalogue: Index.

    Returns:
        A table with a row for each status, also those that do not occur, and the totals.
    """
    facts = catalogue.facts
    table = Table("", Column("videos", justify="right"), Column("meaning", overflow="fold"))
    for status in STATUSES:
        name, meaning = _MEANINGS[status]
        meaning = meaning if facts.decode else _PACKETS_ONLY.get(status, meaning)
        count = facts.summary["status"].get(status, 0)
        style = "" if not count else _STYLES.get(status, "red")
        table.add_row(name, f"{count:,}", meaning.format(min_frames=facts.min_frames), style=style or "dim")
    table.add_section()
    if noted := pc.count(catalogue.table["note"]).as_py():
        table.add_row("with a note", f"{noted:,}", "damaged beside the video, such as in subtitles or chapters")
    unlisted = facts.summary["unlisted"]
    if facts.searched is not None:
        folder = one_line(facts.searched)
        table.add_row(
            "unlisted", f"{unlisted:,}", f"on disk below {folder}, in no row", style="" if unlisted else "dim"
        )
    table.add_row("listed", f"{catalogue.table.num_rows:,}", _totals(catalogue), style="bold")
    return table


def print_unusable(console: Console, catalogue: Catalogue) -> None:
    """Print the first videos of an index that are not usable, with status and reason.

    Args:
        console: Console to print on.
        catalogue: Index.
    """
    unusable = files_of(catalogue.table.filter(pc.invert(usable(catalogue.table))).select(["path", "status", "reason"]))
    rows = [(row["path"], row["status"], row["reason"] or "") for row in unusable.slice(0, _SHOWN).to_pylist()]
    print_first(console, ("not usable", "status", "reason"), rows, unusable.num_rows, "; the index lists all")


def print_noted(console: Console, catalogue: Catalogue) -> None:
    """Print the first videos of an index that are damaged beside the video, with a note that says where.

    Args:
        console: Console to print on.
        catalogue: Index.
    """
    noted = files_of(catalogue.table.filter(pc.is_valid(catalogue.table["note"])).select(["path", "note"]))
    rows = [(row["path"], row["note"]) for row in noted.slice(0, _SHOWN).to_pylist()]
    print_first(console, ("with a note", "note"), rows, noted.num_rows, "; the index lists all")


def print_late(console: Console, catalogue: Catalogue) -> None:
    """Print the first parts of an index that begin at or after the end of their videos; such a part fails in use.

    Args:
        console: Console to print on.
        catalogue: Index.
    """
    late = late_parts(catalogue.table)
    rows = []
    for row in late.slice(0, _SHOWN).to_pylist():
        part = segment_of(*(row[name] for name in ("start_time", "end_time", "start_frame", "end_frame")))
        assert part is not None  # it has a start
        lasts = f"lasts {row['duration']:.2f} s" if part.unit == "seconds" else f"has {row['frames']:,} frames"
        rows.append((row["path"], part.fragment, lasts))
    print_first(console, ("begins after the end", "part", "the video"), rows, late.num_rows)


def print_first(
    console: Console, headings: Sequence[str], rows: Sequence[Sequence[str]], total: int, rest: str = ""
) -> None:
    """Print the first videos of a list as a table, and the number of the others below it; nothing if there are none.

    Args:
        console: Console to print on.
        headings: Titles of the columns.
        rows: Path, as stored, and the other cells of each video.
        total: Number of videos in the list.
        rest: End of the line about the others. Default: "".
    """
    if not rows:
        return
    table = Table(*(Column(heading, overflow="fold") for heading in headings))
    for path, *cells in rows:
        table.add_row(*map(one_line, (opened_path(path), *cells)))
    console.print(table, soft_wrap=False)
    if total > len(rows):
        console.print(f"and {total - len(rows):,} more{rest}")


def status_table(title: str, counts: Mapping[str, Mapping[str, int]]) -> Table:
    """Count the videos of each class, or of each split, by status.

    Args:
        title: Title of the first column, for instance "class".
        counts: Number of videos by class or split, and status.

    Returns:
        A table with a row for each class or split, and a column for each status that occurs.
    """
    occurring = [status for status in STATUSES if any(status in row for row in counts.values())]
    headings = [Column(_MEANINGS[status][0], justify="right") for status in occurring]
    table = Table(Column(title, overflow="fold"), Column("videos", justify="right"), *headings)
    for name, row in counts.items():
        cells = [f"{row[status]:,}" if status in row else "" for status in occurring]
        table.add_row(one_line(name), f"{sum(row.values()):,}", *cells)
    return table


def _totals(catalogue: Catalogue) -> str:
    rows = files_of(catalogue.table)
    parts = "" if len(rows) == len(catalogue.table) else f"rows for {counted(len(rows), 'video')}, "
    classes = counted(len(catalogue.facts.classes), "class")
    hours = (pc.sum(rows["duration"]).as_py() or 0) / 3600
    size = format_size(pc.sum(rows["bytes"]).as_py() or 0)
    frames = counted(pc.sum(rows["frames"]).as_py() or 0, "frame")
    return f"{parts}{classes}, {frames}, {hours:,.1f} hours, {size}"
