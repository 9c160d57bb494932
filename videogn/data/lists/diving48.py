"""Diving48: JSON of videos that are cut already, with the number of their class and the frames of the dive."""

from __future__ import annotations

from typing import Any

from videogn.data.layouts import Row
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import located
from videogn.data.lists.segments import segment_of


def is_diving48(content: Any) -> bool:
    """Whether a JSON list has entries with vid_name and label."""
    entries = content if isinstance(content, list) else []
    return isinstance(next(iter(entries), None), dict) and {"vid_name", "label"} <= set(entries[0])


def read_diving48(file: ListFile, content: Any) -> Listed:
    """Read a list of Diving48. Videos are found by their ids.

    Returns:
        The rows, parts in frames.

    Raises:
        ValueError: If an entry is wrong.
    """
    rows = []
    for number, entry in enumerate(content, start=1):
        where = f"{file.source}, entry {number}"
        if not isinstance(entry, dict) or {"vid_name", "label", "start_frame", "end_frame"} - entry.keys():
            raise ValueError(f"{where}: {entry!r:.80}; expected vid_name, label, start_frame and end_frame")
        frames = {name: str(entry[name]) for name in ("start_frame", "end_frame")}
        rows.append(Row(str(entry["vid_name"]), str(entry["label"]), where, segment=segment_of(frames, where)))
    paths = located([row.path for row in rows], file.root, ".mp4")
    return Listed([row._replace(path=path) for row, path in zip(rows, paths, strict=True)], numbers=True)
