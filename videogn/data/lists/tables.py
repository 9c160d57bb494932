"""Lists with columns: further ones than a path and a label, in any order, under a heading or without one."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from videogn.axes import Segment
from videogn.data.layouts import Row
from videogn.data.lists.column_names import LABEL_NAMES, PATH_NAMES, SEVERAL
from videogn.data.lists.columns import (
    PARTS,
    Column,
    find_label,
    find_path,
    find_split,
    is_video_there,
    looks_like_video,
    named,
    option,
    parts_of_videos,
)
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import located, sampled
from videogn.data.lists.segments import segment_of
from videogn.data.lists.separators import NAMES, fields_of, find_separator
from videogn.data.lists.several_labels import holds_several, label_sets

#: Names of a second column that make the first line a heading whatever the first column is called.
_LABELS = ("label", "class", "target")
#: What is in no name of a column: a folder, a suffix, nothing but a number.
_NO_NAME = re.compile(r"[/\\]|\.\w{1,5}$|^[-+.\d]+$")


#: A number of frames: fewer than a year of video has.
_FRAMES = re.compile("[0-9]{1,9}")
#: Columns of the widest list.
_MOST_COLUMNS = 1000


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
    if len(first) > _MOST_COLUMNS:
        raise ValueError(f"{file.where(file.lines[0][0])}: {len(first):,} fields; is it a list of videos?")
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
        label = find_label(table.columns[1:])
        return in_order and label is not None and not (label.plain_name in SEVERAL and _several(table, label))
    return not _is_divided(table)


def _is_divided(table: Table) -> bool:
    """Whether a column after the first one is a path and, as it stands in the line, the beginning of the line is not.

    So it is in "swim,a.mp4" and "7,a.mp4,swim", and not in "my clip, part 2.mp4,swim".
    """
    if len(table.first) < 2 or any(len(some) != len(table.first) for some in table.some):
        return False
    root, lines = table.file.root, [table.first, *table.some]
    for place in range(1, len(table.first)):
        heads = [(table.separator or " ").join(fields[: place + 1]) for fields in lines]
        if any(is_video_there(root, head) for head in heads):
            return False
        values = [fields[place] for fields in lines]
        if all(is_video_there(root, value) for value in values):
            return True
        labels_first = (
            table.separator is not None
            and len(table.first) == 2
            and not any(looks_like_video(fields[0]) for fields in lines)
        )
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
    roles = _roles(table, defaults or {})
    places = {id(column): place for place, column in enumerate(table.columns)}
    lines = list(table.lines())
    for number, fields in lines:
        if len(fields) != len(places):
            what = "the heading has" if table.heading else "the first line has"
            shown = " | ".join(fields)
            raise ValueError(f"{table.file.where(number)}: {len(fields)} fields ({shown}), but {what} {len(places)}")
    if "label" in roles and "label" not in table.file.columns and _several(table, roles["label"]):
        roles["labels"] = roles.pop("label")
    return Listed(_rows(table.file, lines, {role: places[id(column)] for role, column in roles.items()}), numbers=True)


def _several(table: Table, label: Column) -> bool:
    """Whether the column of labels holds several for a video."""
    place = next(place for place, column in enumerate(table.columns) if column.name == label.name)
    return holds_several(label, [fields[place] for _, fields in table.lines() if len(fields) > place])


def _rows(file: ListFile, lines: Sequence[_Line], places: Mapping[str, int]) -> list[Row]:
    """The rows of lines; `places` has the place of each role among their fields."""
    values = {role: [fields[place] for _, fields in lines] for role, place in places.items()}
    for role in ("path", "label"):
        for (number, _), text in zip(lines, values.get(role, ()), strict=False):
            if not text:
                raise ValueError(f"{file.where(number)}: no {role} in its column")
            if "\n" in text:
                raise ValueError(f"{file.where(number)}: the {role} has several lines: is a double quote left open?")
    where = [file.where(number) for number, _ in lines]
    nothing = [None] * len(lines)
    segments = _segments({role: texts for role, texts in values.items() if role in PARTS}, where) or nothing
    splits = [text.lower() or None for text in values["split"]] if "split" in values else nothing
    counts = list(map(_count, values["frames"], where)) if "frames" in values else nothing
    sets = label_sets(values["labels"]) if "labels" in values else nothing
    columns = (located(values["path"], file.root), values.get("label", nothing), where, segments, splits, counts, sets)
    return [
        Row(path, label, place, None, segment, split, count, labels)
        for path, label, place, segment, split, count, labels in zip(*columns, strict=True)
    ]


def _segments(values: Mapping[str, Sequence[str]], where: Sequence[str]) -> list[Segment | None]:
    """The part of each row; empty if no column says it."""
    rows = (dict(zip(values, texts, strict=True)) for texts in zip(*values.values(), strict=True))
    return [segment_of(row, place) for row, place in zip(rows, where, strict=False)]


def _roles(table: Table, defaults: Mapping[str, str]) -> dict[str, Column]:
    """Which column is which. What was asked for counts; the rest is found if it is clear."""
    file, asked = table.file, table.file.columns
    found = named(table.columns, {**defaults, **asked}, file.source)
    rest = [column for column in table.columns if column not in found.values()]
    if "path" not in found:
        path = find_path(rest, file.root)
        if path is None:
            raise ValueError(_unclear(table, "path", rest[0].name, rest))
        found["path"] = path
        rest.remove(path)
    if "split" not in found and (split := find_split(rest)) is not None:
        found["split"] = split
        rest.remove(split)
    parts = parts_of_videos(rest)
    if parts is not None and not found.keys() & {"start_time", "start_frame"} and not {"path", "label"} <= asked.keys():
        start, end = (column.name for column in parts)
        raise ValueError(
            f"{file.source} has the columns {start} and {end}: for parts of videos give "
            f"{option(f'start_time={start},end_time={end}')}, or start_frame and end_frame; for whole videos give "
            "path=...,label=... alone"
        )
    if not found.keys() & {"label", "labels"}:
        label = find_label(rest)
        if label is None:
            raise ValueError(_unclear(table, "label", found["path"].name, rest))
        found["label"] = label
    return found


def _unclear(table: Table, role: str, path: str, others: Sequence[Column]) -> str:
    label = next((column.name for column in others[::-1] if column.name != path), "LABEL")
    return (
        f"{table.file.source}: it is not clear which column is the {role}; {table.as_read()}: say which, for instance "
        f"{option(f'path={path},label={label}')}"
    )


def _count(text: str | None, where: str) -> int | None:
    if not text:
        return None
    if not _FRAMES.fullmatch(text) or int(text) < 1:
        raise ValueError(f"{where}: {text!r:.40} frames; expected a number such as 163")
    return int(text)
