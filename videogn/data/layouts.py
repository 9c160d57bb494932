"""Kinetics CSV and "path label" lists: the reader of each layout, without the meaning of labels.

All readers return rows of path, label as written, and place where it was written. See `videogn.data.sources`.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
import re
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

from videogn.data.video_files import VIDEO_SUFFIXES, walk_videos
from videogn.video.storage import is_url

SPLIT_NAMES = {"train": ("train",), "val": ("val", "validate", "validation", "valid"), "test": ("test",)}
LAYOUTS = "a folder of class folders, a Kinetics CSV, a text file of 'path label' lines, a Parquet index or tar shards"

_SUFFIX = "|".join(map(re.escape, VIDEO_SUFFIXES))
_UP_TO_SUFFIX = re.compile(rf"(?P<path>.+(?:{_SUFFIX}))(?P<separator>\s*,\s*|\s+)(?P<label>.+)", re.IGNORECASE)
_QUOTED_PATH = re.compile(r'"(?P<path>(?:[^"]|"")+)"\s*[,\s]\s*(?P<label>.+)')


class Row(NamedTuple):
    """One video as a source lists it: `where` for error messages, `error` if it cannot be used."""

    path: str
    label: str | None
    where: str
    error: str | None = None


def split_name(alias: str) -> str:
    """Return the usual name of a split: "val" for "validation"; an unknown name stays as it is."""
    return next((split for split, aliases in SPLIT_NAMES.items() if alias in aliases), alias)


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        ValueError: If it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text; expected {LAYOUTS}") from None


def read_kinetics(text: str, header: list[str], source: Path, root: Path) -> list[Row]:
    """Read a Kinetics CSV (label, youtube_id, time_start, time_end, split).

    Args:
        text: Contents of the file.
        header: Names of its columns.
        source: The file, for error messages.
        root: Folder below which videos are found by name, `ID_000010_000020.mp4` or `ID.mp4`.

    Returns:
        One row for each line; the path of a missing video is the usual one.

    Raises:
        ValueError: If a column is missing or a line is wrong.
    """
    if absent := {"time_start", "time_end"} - set(header):
        raise ValueError(f"{source}: a Kinetics CSV without the column {min(absent)!r} (it has {', '.join(header)})")
    files: dict[str, list[str]] = defaultdict(list)
    for path in walk_videos(str(root)):
        files[os.path.splitext(os.path.basename(path))[0]].append(path)
    rows = []
    reader = csv.reader(io.StringIO(text))
    for fields in itertools.islice(reader, 1, None):
        where = f"{source}, line {reader.line_num}"
        if any(fields) and len(fields) < len(header):
            raise ValueError(f"{where}: {len(fields)} fields, but the header has {len(header)}")
        if any(fields):
            row = {name: field.strip() for name, field in zip(header, fields, strict=False)}
            rows.append(Row(_kinetics_path(row, where, files, root), row.get("label") or None, where))
    return rows


def _kinetics_path(row: dict[str, str], where: str, files: dict[str, list[str]], root: Path) -> str:
    video, start, end = row["youtube_id"], row["time_start"], row["time_end"]
    try:
        stem = f"{video}_{int(float(start)):06d}_{int(float(end)):06d}"
    except (ValueError, OverflowError):
        raise ValueError(f"{where}: time {start!r} to {end!r}; expected seconds, such as 10 or 10.0") from None
    split, label = row.get("split", ""), row.get("label", "")
    found = files.get(stem) or files.get(video) or [os.path.join(root, split, label, stem + ".mp4")]
    splits = SPLIT_NAMES.get(split_name(split), (split,))

    def agreement(path: str) -> tuple[bool, bool]:
        folders = os.path.relpath(path, root).replace("_", " ").split(os.sep)[:-1]
        return not set(splits).isdisjoint(folders), label.replace("_", " ") in folders

    return found[0] if len(found) == 1 else max(found, key=agreement)


def read_list(text: str, source: Path, root: Path) -> list[Row]:
    """Read lines of "path label".

    Args:
        text: Contents of the file.
        source: The file, for error messages.
        root: Folder that relative paths refer to.

    Raises:
        ValueError: If a line is wrong.
    """
    rows: list[Row] = []
    for number, line in enumerate(text.split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        where = f"{source}, line {number}"
        path, label = _split_line(line, where)
        # A heading such as "path,label" would otherwise become a video and a class.
        is_video = path.lower().endswith(VIDEO_SUFFIXES)
        if number > 1 or is_video or label.lower() not in ("label", "class", "target"):
            rows.append(Row(path if is_url(path) else os.path.join(root, path), label, where))
    return rows


def _split_line(line: str, where: str) -> tuple[str, str]:
    """Separate path and label. Both may have blanks and commas, so a quote, a tab or a video suffix decides first."""
    if match := _QUOTED_PATH.fullmatch(line):
        path, label = match["path"].replace('""', '"'), match["label"]
    elif "\t" in line:
        path, _, label = line.rpartition("\t")
    elif match := _UP_TO_SUFFIX.fullmatch(line):
        path, label = match["path"], match["label"]
        if (match["separator"].strip() or " ") in label and not label.startswith('"'):
            raise ValueError(f"{where}: the label {label!r} has blanks or commas; put a tab before it, or quote it")
    else:
        path, label = line.rpartition(",")[::2] if "," in line else [*line.rsplit(None, 1), ""][:2]
    path, label = path.strip(), label.strip()
    if len(label) > 1 and label[0] == label[-1] == '"':
        label = label[1:-1].replace('""', '"')
    if not path or not label or label.lower().endswith(VIDEO_SUFFIXES):
        raise ValueError(f"{where}: {line!r} has no label; expected 'path label', such as 'a/b.mp4 3'")
    return path, label
