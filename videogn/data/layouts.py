"""Rows of a source, names of splits, and class folders: the reader of the layout without the meaning of labels.

All readers return rows of path, label as written, and place where it was written. See `videogn.data.sources`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from videogn.axes import Segment
from videogn.data.video_files import VIDEO_SUFFIXES, walk_videos

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "validate", "validation", "valid"),
    "test": ("test", "testing"),
}
LAYOUTS = "a folder of class folders, a Kinetics CSV, a text file of 'path label' lines, a Parquet index or tar shards"


class Row(NamedTuple):
    """One video as a source lists it.

    Attributes:
        path: Path of the file.
        label: Label as written, or None.
        where: Place where it is written, for error messages.
        error: Reason why it cannot be used, or None.
        segment: Part of the video that is the example, or None for all of it.
        split: Split as written, or None.
        frames: Number of frames that count, or None for all.
    """

    path: str
    label: str | None
    where: str
    error: str | None = None
    segment: Segment | None = None
    split: str | None = None
    frames: int | None = None


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


def read_class_folders(source: Path) -> tuple[list[Row], list[str]]:
    """Read a folder with one folder per class.

    Returns:
        The rows, and the names of all class folders, sorted.

    Raises:
        ValueError: If it holds loose videos, no folders, or splits.
    """
    entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if entry.suffix.lower() in VIDEO_SUFFIXES and entry not in folders]
    if loose or not folders:
        what = f"{loose[0].name} lies directly in it" if loose else "it has no folders"
        raise ValueError(f"{source} is not a folder of class folders: {what}; expected {source}/<class>/<video>.mp4")
    names = [folder.name for folder in folders]
    if {split_name(name) for name in names} <= SPLIT_NAMES.keys():
        raise ValueError(f"{source} holds splits ({', '.join(names)}), not classes; did you mean {folders[0]}?")
    # An empty class folder is still a class: its videos may be missing, and the others must keep their numbers.
    rows = [Row(path, folder.name, str(folder)) for folder in folders for path in sorted(walk_videos(str(folder)))]
    return rows, names
