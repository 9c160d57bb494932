"""Folders that are read for what lies in them: class folders, and a folder of loose videos without classes."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from videogn.data.archives import is_archive
from videogn.data.layouts import LAYOUTS, SPLIT_NAMES, Row, split_name
from videogn.data.left_out import SYSTEM, LeftOut, are_notes, in_words
from videogn.data.video_files import is_image_name, is_system_folder, is_video_name, walk_images, walk_videos
from videogn.video.decoders.image_folder import has_numbered_images


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

    Where no class has a video, their images are the examples, each a video of one frame: a folder of numbered images is
    a video only as <class>/<video>/img_00001.jpg.

    Raises:
        ValueError: If it holds loose videos, no folders, splits, or no video.
    """
    entries = sorted(entry for entry in source.iterdir() if not entry.name.startswith("."))
    folders = [entry for entry in entries if entry.is_dir()]
    loose = [entry for entry in entries if is_video_name(entry.name) and entry not in folders]
    system = {folder.name: {SYSTEM: 1} for folder in folders if is_system_folder(folder.name)}
    folders = [folder for folder in folders if folder.name not in system]
    if loose or not folders:
        images = has_numbered_images(entry.name for entry in entries)
        empty = "it holds the images of one video" if images else "it has no folders"
        what = f"{loose[0].name} lies directly in it" if loose else empty
        archives = [entry.name for entry in entries if is_archive(entry.name)]
        packed = f"; {archives[0]} is a compressed archive, which is not read: unpack it" if archives else ""
        raise ValueError(
            f"{source} is not a folder of class folders: {what}; expected {source}/<class>/<video>.mp4{packed}"
        )
    names = [folder.name for folder in folders]
    if {split_name(name.lower()) for name in names} <= SPLIT_NAMES.keys():
        raise ValueError(f"{source} holds splits ({', '.join(names)}), not classes; did you mean {folders[0]}?")
    rows: list[Row] = []
    left_out: dict[str, Counter[str]] = {name: Counter() for name in names}
    for folder in folders:
        videos = sorted(walk_videos(str(folder), left_out=left_out[folder.name]))
        if str(folder) in videos:  # numbered images: one video, if it were in a class
            videos.remove(str(folder))
            left_out[folder.name].update(path.suffix.lower() for path in folder.iterdir())
        rows += [Row(path, folder.name, str(folder)) for path in videos]
    if not rows:
        rows = [Row(path, folder.name, str(folder)) for folder in folders for path in walk_images(str(folder))]
        left_out = {
            name: Counter({kind: count for kind, count in kinds.items() if not is_image_name(kind)})
            for name, kinds in left_out.items()
        }
    if not rows:
        there = in_words(sum(left_out.values(), Counter()))
        raise ValueError(f"no video in {source}{f', only {there}' if there else ''}; expected {LAYOUTS}")
    full = {row.label for row in rows}
    # An empty class folder is still a class: its videos may be missing, and the others must keep their numbers.
    classes = [name for name in names if name in full or not are_notes(left_out[name])]
    return ClassFolders(rows, classes, {**left_out, **system})


def holds_classes(folder: Path) -> bool:
    """Return whether a folder has folders with videos, as one of class folders or of splits has."""
    with os.scandir(folder) as entries:
        folders = [entry.path for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    return len(folders) > 1 and any(next(walk_videos(below), None) for below in folders)


def is_loose(folder: str | Path) -> bool:
    """Return whether videos lie directly in a folder, and none deeper; also if the folder is itself one of images."""
    beginning = len(os.path.join(folder, ""))
    found = False
    for path in walk_videos(str(folder)):
        if os.sep in path[beginning:]:
            return False
        found = True
    return found
