"""What a list gives: its file as it was read, and the rows made from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from videogn.data.layouts import Row, split_name


@dataclass(frozen=True)
class ListFile:
    """A list as it is on disk.

    Attributes:
        source: The file.
        root: Folder that its paths refer to, or that holds its videos.
        text: Content.
        columns: Role -> name of a column, as `columns.parse_columns` gives it.
    """

    source: Path
    root: Path
    text: str
    columns: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def lines(self) -> list[tuple[int, str]]:
        """Number, from 1, and text of the lines that are neither blank nor comments."""
        stripped = enumerate(map(str.strip, self.text.split("\n")), start=1)
        return [(number, line) for number, line in stripped if line and not line.startswith("#")]

    @cached_property
    def _name(self) -> str:
        return str(self.source)  # once, and not for each of 300,000 lines

    def where(self, number: int) -> str:
        """Name a line for messages."""
        return f"{self._name}, line {number}"

    def beside(self, *names: str) -> Path | None:
        """Return the first of these files that lies in the folder of the list, or None."""
        return next((path for path in map(self.source.with_name, names) if path.is_file()), None)


@dataclass(frozen=True)
class Listed:
    """Videos of a list, before labels are numbered.

    Attributes:
        rows: The videos.
        classes: Class names in the order of their numbers, if the list or a file beside it says so.
        numbers: Whether a label may be a class number, from 0.
        aliases: Other spelling of a label -> label, such as a number from 1 -> class name.
    """

    rows: list[Row]
    classes: Sequence[str] | None = None
    numbers: bool = False
    aliases: Mapping[str, str] = field(default_factory=dict)


def splits_of(rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the usual names of the splits that the rows are of, in the order of their first rows."""
    return tuple(dict.fromkeys(split_name(row.split) for row in rows if row.split))


def of_split(rows: list[Row], split: str | None, source: Path) -> list[Row]:
    """Take the rows of one split. Rows of another single split, or of none, are taken as a whole.

    Args:
        rows: Rows of a list.
        split: Usual name of the split, or None for all rows. Of "val" and "test", the one that is there stands for the
            other one: a data set that has training and test videos only is validated on the latter.
        source: The list, for the message.

    Raises:
        ValueError: If the rows are of several splits and not of this one.
    """
    there = splits_of(rows)
    if split is None or len(there) < 2:
        return rows
    other = {"val": "test", "test": "val"}.get(split)
    wanted = other if other in there and split not in there else split
    if wanted not in there:
        raise ValueError(f"{source} has no split {split!r}; those there are: {', '.join(sorted(there))}")
    return [row for row in rows if row.split and split_name(row.split) == wanted]


def folder_of(path: str) -> str:
    """Return the name of the folder that a path lies in, also of one with Windows' backslashes; "" if it has none."""
    return path.replace("\\", "/").rpartition("/")[0].rpartition("/")[2]
