"""Which column of a list is the path, which the label: as asked for, or from values and names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from videogn.checks import did_you_mean
from videogn.data.layouts import SPLIT_NAMES, split_name
from videogn.data.lists.column_names import FACTS, LABEL_NAMES, PATH_NAMES, SPLIT_COLUMNS
from videogn.data.video_files import is_video_name
from videogn.video.storage import is_url

_PAIRS = (("start_time", "end_time"), ("start_frame", "end_frame"))
#: What a column can be: `PARTS` says which part of a video, in seconds, or in frames from 0; an end is exclusive.
PARTS = tuple(role for pair in _PAIRS for role in pair)
ROLES = ("path", "label", "labels", "split", *PARTS, "frames")
_START = re.compile(r"(.*_)?(start|begin|from|onset|t0)(_.*)?")
_END = re.compile(r"(.*_)?(end|stop|to|until|t1)(_.*)?")
_IMAGES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
#: A column of an unknown name with so many values, all different, is a description rather than a class.
_MANY = 10


@dataclass(frozen=True)
class Column:
    """A column of a list.

    Attributes:
        name: Its heading, or its number, from 1, in a list without one.
        values: Some of its values.
    """

    name: str
    values: Sequence[str]

    @property
    def plain_name(self) -> str:
        """The name in small letters, with "_" for blanks and hyphens."""
        return re.sub(r"[\s-]+", "_", self.name.strip().lower())

    def share_of_paths(self) -> float:
        """Share of the values that end as videos do."""
        return _share(map(looks_like_video, self.values), self.values)

    def share_of_files(self, root: Path) -> float:
        """Share of the values that are videos, or folders of image files, below a folder."""
        return _share((is_video_there(root, value) for value in self.values), self.values)


def parse_columns(text: str | None) -> dict[str, str]:
    """Read what the columns of a list are, as a user says it.

    Args:
        text: Pairs "role=name" with commas between them, such as "path=video_name,label=tag"; names are those of the
            heading, or numbers from 1. None for nothing.

    Returns:
        Role -> name.

    Raises:
        ValueError: If it is no such text, or has a start without an end.
    """
    columns: dict[str, str] = {}
    for pair in (text or "").split(",") if text is not None else ():
        role, equals, name = (part.strip() for part in pair.partition("="))
        if not equals or not name:
            raise ValueError(f"columns must be ROLE=NAME pairs such as path=video_name,label=tag, got {text!r}")
        if role not in ROLES:
            raise ValueError(f"columns has no {role!r}{did_you_mean(role, ROLES)}; it takes {', '.join(ROLES)}")
        columns[role] = name
    for start, end in _PAIRS:
        if (start in columns) != (end in columns):
            here, absent = (start, end) if start in columns else (end, start)
            raise ValueError(f"columns has {here} without {absent}: a part of a video needs both, got {text!r}")
    if {"label", "labels"} <= columns.keys():
        raise ValueError(f"columns has label and labels: give the one that a video has, got {text!r}")
    if {"start_time", "start_frame"} <= columns.keys():
        raise ValueError(f"columns has times and frames for the same parts: give one of them, got {text!r}")
    return columns


def looks_like_video(value: str) -> bool:
    """Whether a value ends as videos do, or is a URL."""
    return is_video_name(value) or is_url(value)


def option(columns: str) -> str:
    """Write the option that says what columns are, for messages."""
    return f"--data.columns {columns} (in `videogn data`: --columns)"


def is_video_there(root: Path, value: str) -> bool:
    """Whether a value is the path of a file below a folder, or of a folder of image files."""
    path = os.path.join(root, value)
    if not value or not os.path.isdir(path):
        return bool(value) and os.path.isfile(path)
    try:
        with os.scandir(path) as entries:
            return any(entry.name.lower().endswith(_IMAGES) for entry, _ in zip(entries, range(8), strict=False))
    except OSError:
        return False


def find_path(columns: Sequence[Column], root: Path) -> Column | None:
    """Find the column of the paths: whose values exist, else end as videos do; then by the name. None if unclear."""
    there = [column for column in columns if column.share_of_files(root) > 0.5]
    named_so = [column for column in columns if column.share_of_paths() > 0.5]
    candidates = there or named_so or list(columns)
    if len(candidates) > 1:
        candidates = [column for column in candidates if column.plain_name in PATH_NAMES]
    return candidates[0] if len(candidates) == 1 else None


def find_label(columns: Sequence[Column]) -> Column | None:
    """Find the column of the labels among those that are not paths: by the name, or the only one. None if unclear."""
    named = [column for column in columns if column.plain_name in LABEL_NAMES]
    if named:
        return named[0] if len(named) == 1 else None
    others = [column for column in columns if column.plain_name not in FACTS]
    if len(others) != 1 or not any(others[0].values):
        return None
    values = others[0].values
    return None if len(values) >= _MANY and len(set(values)) == len(values) else others[0]


def find_split(columns: Sequence[Column]) -> Column | None:
    """Find the column of the splits by its name and its values, of which one is known, or return None."""
    for column in columns:
        splits = {split_name(value.lower()) for value in column.values}
        if column.plain_name in SPLIT_COLUMNS and not splits.isdisjoint(SPLIT_NAMES):
            return column
    return None


def parts_of_videos(columns: Iterable[Column]) -> tuple[Column, Column] | None:
    """Return the first two columns whose names say start and end, or None."""
    columns = list(columns)
    start = next((column for column in columns if _START.fullmatch(column.plain_name)), None)
    end = next((column for column in columns if _END.fullmatch(column.plain_name)), None)
    return None if start is None or end is None else (start, end)


def named(columns: Sequence[Column], wanted: Mapping[str, str], source: Path) -> dict[str, Column]:
    """Find the columns that were asked for.

    Args:
        columns: Columns of the list.
        wanted: Role -> name.
        source: The list, for the message.

    Raises:
        ValueError: If there is no such column.
    """
    there = {column.name: column for column in columns}
    plain = {column.plain_name: column for column in columns}
    found: dict[str, Column] = {}
    for role, name in wanted.items():
        column = there.get(name) or plain.get(Column(name, ()).plain_name)
        if column is None and name.isdecimal() and len(name) < 6 and 0 < int(name) <= len(columns):
            column = columns[int(name) - 1]
        if column is None:
            hint = did_you_mean(name, there)
            raise ValueError(f"{source} has no column {name!r} (columns: {role}={name}){hint}; it has {_list(there)}")
        found[role] = column
    return found


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def _share(true: Iterable[bool], values: Sequence[str]) -> float:
    return sum(true) / max(len(values), 1)
