"""Lists with columns: further ones than a path and a label, in any order, under a heading or without one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from videogn.data.layouts import Row
from videogn.data.lists.column_names import LABEL_NAMES, PATH_NAMES
from videogn.data.lists.columns import (
    Column,
    find_label,
    find_path,
    find_split,
    is_video_there,
    looks_like_video,
    named,
    parts_of_videos,
)
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import located, sampled
from videogn.data.lists.segments import segment_of
from videogn.data.lists.separators import NAMES, fields_of, find_separator

#: Names of a second column that make the first line a heading whatever the first column is called.
_LABELS = ("label", "class", "target")
#: What is in no name of a column: a folder, a suffix, nothing but a number.
_NO_NAME = re.compile(r"[/\\]|\.\w{1,5}$|^[-+.\d]*$")


class _Line(NamedTuple):
    number: int
    fields: list[str]


@dataclass(frozen=True)
class Table:
    """A list divided into fields, as far as it has to be to tell its columns.

    Attributes:
        file: The list.
        separator: One of `separators.SEPARATORS`.
        first: Fields of the first line.
        heading: Whether the first line is a heading.
        some: Fields of some of the other lines.
    """

    file: ListFile
    separator: str | None
    first: list[str]
    heading: bool
    some: list[list[str]]

    @cached_property
    def columns(self) -> list[Column]:
        """The columns with some of their values."""
        whole = [fields for fields in self.some if len(fields) == len(self.first)]
        names = self.first if self.heading else [str(number) for number in range(1, len(self.first) + 1)]
        return [Column(name, [fields[place] for fields in whole]) for place, name in enumerate(names)]

    def lines(self) -> Iterator[_Line]:
        """The fields of all lines below the heading, with the numbers of the lines."""
        first = self.file.lines[0][0]
        if self.separator is None or '"' not in self.file.text:
            rows = (_Line(number, fields_of(line, self.separator)) for number, line in self.file.lines)
        else:  # a field in quotes may go on in the next line
            reader = csv.reader(io.StringIO(self.file.text), delimiter=self.separator, skipinitialspace=True)
            fields = ([field.strip() for field in row] for row in reader)
            rows = (_Line(reader.line_num, row) for row in fields if any(row) and not row[0].startswith("#"))
        return (row for row in rows if row.number != first or not self.heading)

    def as_read(self) -> str:
        """The first two lines, field by field, for messages."""
        two = [self.first, *self.some[:1]]
        shown = ", then ".join(" | ".join(fields) for fields in two)
        return f"with {NAMES[self.separator]} between the fields, it begins {shown}"


def divide(file: ListFile) -> Table:
    """Find the separator of a list, and whether its first line is a heading."""
    lines = [line for _, line in file.lines]
    others = list(sampled(lines[1:]))
    separator = find_separator(lines[0], others)
    first, some = fields_of(lines[0], separator), [fields_of(line, separator) for line in others]
    by_name = not all(name.isdigit() for name in file.columns.values())
    heading = by_name or _is_heading(first, some, file)
    return Table(file, separator, first, heading, some)


def _is_heading(first: Sequence[str], some: Sequence[Sequence[str]], file: ListFile) -> bool:
    """Whether a line names columns: its names say so, or it has no video or number where all other lines have one."""
    if len(first) < 2 or any(looks_like_video(text) or _NO_NAME.search(text) for text in first):
        return False
    names = [Column(text, ()).plain_name for text in first]
    labels = LABEL_NAMES.intersection(names)
    paths = PATH_NAMES.intersection(names)
    if (len(first) == 2 and names[1] in _LABELS) or (labels and paths - labels):
        return True
    same = [fields for fields in some if len(fields) == len(first)]
    columns = list(zip(*same, strict=True))
    if any(is_video_there(file.root, text) for text in first):
        return False
    if not same or any(text in column for text, column in zip(first, columns, strict=True)):
        return False
    return bool(paths) or any(_is_of_one_kind(column, file) for column in columns)


def _is_of_one_kind(values: Sequence[str], file: ListFile) -> bool:
    """Whether all values are videos, or all are numbers."""
    videos = all(looks_like_video(value) or is_video_there(file.root, value) for value in values)
    return videos or all(value.isdigit() for value in values)


def is_plain(table: Table) -> bool:
    """Whether each line is a path, which may hold the separator, and then a label."""
    if table.file.columns:
        return False
    if table.heading:
        path = find_path(table.columns, table.file.root)
        in_order = len(table.first) == 2 and (path is None or path.name == table.first[0])
        return in_order and find_label(table.columns[1:]) is not None
    return not _is_divided(table)


def _is_divided(table: Table) -> bool:
    """Whether a column after the first one is a path and, as it stands in the line, the beginning of the line is not.

    So it is in "swim,a.mp4" and "7,a.mp4,swim", and not in "my clip, part 2.mp4,swim".
    """
    if len(table.first) < 2 or table.separator is None or any(len(some) != len(table.first) for some in table.some):
        return False
    root, lines = table.file.root, [table.first, *table.some]
    for place in range(1, len(table.first)):
        heads = [(table.separator or " ").join(fields[: place + 1]) for fields in lines]
        if any(is_video_there(root, head) for head in heads):
            return False
        values = [fields[place] for fields in lines]
        if all(is_video_there(root, value) for value in values):
            return True
        labels_first = len(table.first) == 2 and not any(looks_like_video(fields[0]) for fields in lines)
        if labels_first and all(map(looks_like_video, values)):
            return True
    return False


def read_table(table: Table, defaults: Mapping[str, str] | None = None) -> Listed:
    """Read a list by its columns.

    Args:
        table: The list, divided.
        defaults: Role -> name of a column, where the columns asked for do not say it.

    Returns:
        The rows.

    Raises:
        ValueError: If it is not clear which column is which, or a line is wrong.
    """
    file = table.file
    roles = {role: column.name for role, column in _roles(table, defaults or {}).items()}
    names = [column.name for column in table.columns]
    places = {role: names.index(name) for role, name in roles.items()}
    if not table.heading and len(names) < max(places.values(), default=0):
        raise ValueError(f"{file.source} has {len(names)} columns; {table.as_read()}")
    found = []
    for number, fields in table.lines():
        if len(fields) != len(names):
            what = "the heading has" if table.heading else "the first line has"
            shown = " | ".join(fields)
            raise ValueError(f"{file.where(number)}: {len(fields)} fields ({shown}), but {what} {len(names)}")
        found.append((number, {role: fields[place] for role, place in places.items()}))
    return Listed(_rows(file, found), numbers=True)


def _rows(file: ListFile, found: Sequence[tuple[int, Mapping[str, str]]]) -> list[Row]:
    paths = located([values["path"] for _, values in found], file.root)
    parts = bool(found) and bool({"start_time", "start_frame"} & found[0][1].keys())
    rows = []
    for (number, values), path in zip(found, paths, strict=True):
        where = file.where(number)
        if not values["path"] or not values.get("label", "?"):
            raise ValueError(f"{where}: no {'label' if values['path'] else 'path'} in its column")
        rows.append(
            Row(
                path,
                values.get("label"),
                where,
                segment=segment_of(values, where) if parts else None,
                split=values.get("split", "").lower() or None,
                frames=_count(values.get("frames"), where),
            )
        )
    return rows


def _roles(table: Table, defaults: Mapping[str, str]) -> dict[str, Column]:
    """Which column is which. What was asked for counts; the rest is found if it is clear."""
    file, asked = table.file, table.file.columns
    found = named(table.columns, {**defaults, **asked}, file.source)
    rest = [column for column in table.columns if column not in found.values()]
    if "path" not in found:
        path = find_path(rest, file.root)
        if path is None:
            raise ValueError(_unclear(table, "path"))
        found["path"] = path
        rest.remove(path)
    if "split" not in found and (split := find_split(rest)) is not None:
        found["split"] = split
        rest.remove(split)
    parts = parts_of_videos(rest)
    if parts is not None and not found.keys() & {"start_time", "start_frame"} and not {"path", "label"} <= asked.keys():
        start, end = (column.name for column in parts)
        raise ValueError(
            f"{file.source} has the columns {start} and {end}: for parts of videos give --data.columns "
            f"start_time={start},end_time={end} (or start_frame, end_frame), for whole ones path=...,label=..."
        )
    if "label" not in found:
        label = find_label(rest)
        if label is None:
            raise ValueError(_unclear(table, "label"))
        found["label"] = label
    return found


def _unclear(table: Table, role: str) -> str:
    names = [column.name for column in table.columns]
    return (
        f"{table.file.source}: it is not clear which column is the {role}; {table.as_read()}: say which, for instance "
        f"--data.columns path={names[0]},label={names[-1]}"
    )


def _count(text: str | None, where: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError(f"{where}: {text!r} frames; expected a number such as 163")
    return int(text)
