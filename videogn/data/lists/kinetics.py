"""Kinetics-400, -600 and -700: CSV of label, youtube_id, time_start, time_end, split; without labels for testing."""

from __future__ import annotations

import csv
import io
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from videogn.data.layouts import SPLIT_NAMES, Row, split_name
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.segments import LATEST
from videogn.data.video_files import walk_videos


def is_kinetics(file: ListFile) -> bool:
    """Whether the heading of a list has a column youtube_id."""
    return "youtube_id" in _heading(file)


def read_kinetics(file: ListFile) -> Listed:
    """Read a Kinetics CSV. Videos are found by name below the root, `ID_000010_000020.mp4` or `ID.mp4`.

    Returns:
        One row for each line; the path of a missing video is the usual one.

    Raises:
        ValueError: If a column is missing or a line is wrong.
    """
    heading = _heading(file)
    if absent := {"time_start", "time_end"} - set(heading):
        have = ", ".join(heading)
        raise ValueError(f"{file.source}: a Kinetics CSV without the column {min(absent)!r} (it has {have})")
    return Listed(kinetics_rows(_lines(file, heading), file.root))


def kinetics_rows(videos: Iterable[tuple[Mapping[str, str], str]], root: Path) -> list[Row]:
    """Find the files of Kinetics videos.

    Args:
        videos: Columns of a Kinetics CSV by name, and the place for error messages, of each video.
        root: Folder below which videos are found by name.
    """
    files: dict[str, list[str]] = defaultdict(list)
    for path in walk_videos(str(root)):
        files[os.path.splitext(os.path.basename(path))[0]].append(path)
    return [
        Row(
            _path(video, where, files, root),
            video.get("label") or None,
            where,
            split=video.get("split", "").lower() or None,
        )
        for video, where in videos
    ]


def _heading(file: ListFile) -> list[str]:
    return [name.strip().lower() for name in next(csv.reader([file.lines[0][1]]))]


def _lines(file: ListFile, heading: list[str]) -> Iterator[tuple[dict[str, str], str]]:
    reader = csv.reader(io.StringIO(file.text))
    for fields in reader:
        if reader.line_num <= file.lines[0][0]:  # up to the heading
            continue
        where = file.where(reader.line_num)
        if any(fields) and len(fields) < len(heading):
            raise ValueError(f"{where}: {len(fields)} fields, but the header has {len(heading)}")
        if any(fields):
            yield {name: field.strip() for name, field in zip(heading, fields, strict=False)}, where


def _path(row: Mapping[str, str], where: str, files: dict[str, list[str]], root: Path) -> str:
    video, start, end = row["youtube_id"], row["time_start"], row["time_end"]
    try:
        if max(float(start), float(end)) > LATEST:
            raise ValueError
        stem = f"{video}_{int(float(start)):06d}_{int(float(end)):06d}"
    except (ValueError, OverflowError):
        raise ValueError(f"{where}: time {start!r:.40} to {end!r:.40}; expected seconds, such as 10 or 10.0") from None
    split, label = row.get("split", ""), row.get("label", "")
    found = files.get(stem) or files.get(video) or [os.path.join(root, split, label, stem + ".mp4")]
    splits = SPLIT_NAMES.get(split_name(split), (split,))

    def agreement(path: str) -> tuple[bool, bool]:
        folders = os.path.relpath(path, root).replace("_", " ").split(os.sep)[:-1]
        return not set(splits).isdisjoint(folders), label.replace("_", " ") in folders

    return found[0] if len(found) == 1 else max(found, key=agreement)
