"""Diving48: JSON of videos that are cut already, with the number of their class and the frames of the dive."""

from __future__ import annotations

from typing import Any

from videogn.data.layouts import Row
from videogn.data.lists.listed import Listed, ListFile
from videogn.data.lists.places import located
from videogn.data.lists.segments import segment_of


def is_diving48(content: Any) -> bool:
    """Whether a JSON list has entries with vid_name and label."""
    return isinstance(content, list) and bool(content) and {"vid_name", "label"} <= set(content[0])


def read_diving48(file: ListFile, content: Any) -> Listed:
    """Read a list of Diving48. Videos are found by their ids.

    Returns:
        The rows, parts in frames.

    Raises:
        ValueError: If an entry is wrong.
    """
    rows = []
    paths = located([str(entry.get("vid_name")) for entry in content], file.root, ".mp4")
    for number, (entry, path) in enumerate(zip(content, paths, strict=True), start=1):
        where = f"{file.source}, entry {number}"
        if absent := {"vid_name", "label", "start_frame", "end_frame"} - set(entry):
            raise ValueError(f"{where}: without {min(absent)!r}, got {entry!r:.80}")
        frames = {name: str(entry[name]) for name in ("start_frame", "end_frame")}
        rows.append(Row(path, str(entry["label"]), where, segment=segment_of(frames, where)))
    return Listed(rows, numbers=True)
