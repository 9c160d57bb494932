"""Folders that are read for what lies in them: class folders, and a folder of loose videos without classes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from videogn.data.archives import is_archive
from videogn.data.layouts import LAYOUTS, SPLIT_NAMES, Row, split_name
from videogn.data.left_out import SYSTEM, LeftOut, are_notes, in_words
from videogn.data.video_files import is_system_folder, is_video_name, walk_videos


class ClassFolders(NamedTuple):
    """Contents of a folder of class folders.

    Attributes:
        rows: Videos.
        classes: Names of the class folders, sorted.
        left_out: What is not read, by folder.
    """

    rows: list[Row]
    classes: list[str]
    left_out: LeftOut


def read_class_folders(source: Path) -> ClassFolders:
    """Read a folder with one folder per class. System folders and folders of nothing but notes are no classes.

    Raises:
        ValueError: If it holds loose videos, no folders, splits, or no video.
    """
    entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if is_video_name(entry.name) and entry not in folders]
    system = {folder.name: {SYSTEM: 1} for folder in folders if is_system_folder(folder.name)}
    folders = [folder for folder in folders if folder.name not in system]
    if loose or not folders:
        what = f"{loose[0].name} lies directly in it" if loose else "it has no folders"
        archives = [entry.name for entry in entries if is_archive(entry.name)]
        packed = f"; {archives[0]} is a compressed archive, which is not read: unpack it" if archives else ""
        raise ValueError(
            f"{source} is not a folder of class folders: {what}; expected {source}/<class>/<video>.mp4{packed}"
        )
    names = [folder.name for folder in folders]
    if {split_name(name) for name in names} <= SPLIT_NAMES.keys():
        raise ValueError(f"{source} holds splits ({', '.join(names)}), not classes; did you mean {folders[0]}?")
    rows: list[Row] = []
    left_out: dict[str, Counter[str]] = {name: Counter() for name in names}
    for folder in folders:
        videos = sorted(walk_videos(str(folder), left_out=left_out[folder.name]))
        rows += [Row(path, folder.name, str(folder)) for path in videos]
    if not rows:
        there = in_words(sum(left_out.values(), Counter()))
        raise ValueError(f"no video in {source}{f', only {there}' if there else ''}; expected {LAYOUTS}")
    full = {row.label for row in rows}
    # An empty class folder is still a class: its videos may be missing, and the others must keep their numbers.
    classes = [name for name in names if name in full or not are_notes(left_out[name])]
    return ClassFolders(rows, classes, {**left_out, **system})


def is_loose(folder: str | Path) -> bool:
    """Return whether videos lie directly in a folder, and none deeper."""
    entries = [entry for entry in Path(folder).iterdir() if not entry.name.startswith(".")]
    loose = any(is_video_name(entry.name) and not entry.is_dir() for entry in entries)
    return loose and not any(next(walk_videos(str(entry)), None) for entry in entries if _is_searched(entry))


def _is_searched(entry: Path) -> bool:
    return os.path.isdir(entry) and not is_system_folder(entry.name)
