"""A list in a text or JSON file to its videos: the official formats in turn, then columns, then "path label"."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from videogn.checks import read_json
from videogn.data.layouts import read_text, split_name
from videogn.data.lists.activitynet import is_activitynet, read_activitynet
from videogn.data.lists.charades import is_charades, read_charades
from videogn.data.lists.diving48 import is_diving48, read_diving48
from videogn.data.lists.epic import is_epic, read_epic
from videogn.data.lists.hmdb51 import read_hmdb51
from videogn.data.lists.kinetics import is_kinetics, read_kinetics
from videogn.data.lists.list_sources import hmdb51_files
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.mmaction2 import is_rawframes, read_rawframes
from videogn.data.lists.moments import is_moments, read_moments
from videogn.data.lists.path_lines import read_path_lines
from videogn.data.lists.something import is_something_csv, is_something_json, read_something_csv, read_something_json
from videogn.data.lists.tables import divide, is_plain, read_table
from videogn.data.lists.ucf101 import is_ucf101, read_ucf101


class _TextFormat(NamedTuple):
    fits: Callable[[ListFile], bool]
    read: Callable[[ListFile], Listed]


class _JsonFormat(NamedTuple):
    fits: Callable[[Any], bool]
    read: Callable[[ListFile, Any], Listed]


TEXT_FORMATS = (
    _TextFormat(is_kinetics, read_kinetics),
    _TextFormat(is_ucf101, read_ucf101),
    _TextFormat(is_something_csv, read_something_csv),
    _TextFormat(is_moments, read_moments),
    _TextFormat(is_charades, read_charades),
    _TextFormat(is_rawframes, read_rawframes),
)
JSON_FORMATS = (
    _JsonFormat(is_something_json, read_something_json),
    _JsonFormat(is_diving48, read_diving48),
    _JsonFormat(is_activitynet, read_activitynet),
)


def split_column(source: Path, root: Path, columns: Mapping[str, str]) -> list[str | None] | None:
    """Return the split of each video of a list, in the order of `read_list`; None if it names no splits."""
    splits = [row.split and split_name(row.split) for row in read_list(source, root, columns).rows]
    return splits if any(splits) else None


def read_list(source: Path, root: Path, columns: Mapping[str, str] | None = None) -> Listed:
    """Read a list of videos.

    Args:
        source: Text or JSON file; or what stands for HMDB51's many, see `hmdb51_files`.
        root: Folder that relative paths refer to, or below which videos are found by name.
        columns: Role -> name of a column, as `columns.parse_columns` gives it. Default: as the list itself says.

    Returns:
        The videos.

    Raises:
        ValueError: If the file is no list, a line is wrong, or it is not clear which column is which.
    """
    if files := hmdb51_files(source):
        return read_hmdb51(files, root)
    file = ListFile(source, root, read_text(source), columns or {})
    if source.suffix.lower() == ".json":
        return _read_json(file)
    try:
        return _read_text(file)
    except csv.Error as error:
        raise ValueError(f"{source} is no CSV that can be read ({error}): is a double quote left open?") from None


def _read_text(file: ListFile) -> Listed:
    if not file.lines:
        return Listed([])
    for text_format in TEXT_FORMATS:
        if not file.columns and text_format.fits(file):
            return text_format.read(file)
    table = divide(file)
    if is_epic(table):
        return read_epic(table)
    if is_plain(table):
        return read_path_lines(file, heading=table.heading, separator=table.separator)
    return read_table(table)


def _read_json(file: ListFile) -> Listed:
    content = read_json(file.text, file.source)
    if file.columns:
        raise ValueError(f"columns are those of a text file, and {file.source} is JSON: leave them out")
    for json_format in JSON_FORMATS:
        if json_format.fits(content):
            return json_format.read(file, content)
    raise ValueError(
        f"{file.source} is no list of videos that is known: JSON lists are those of Something-Something V2, "
        "ActivityNet, Kinetics and Diving48"
    )
