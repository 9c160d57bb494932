"""Where the files are that a list names by id, or by a name without its folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from videogn.data.lists.columns import is_video_there, looks_like_video
from videogn.data.video_files import is_system_folder, is_video_name
from videogn.video.storage import is_url

_Value = TypeVar("_Value")

#: Number of names that are tried before a folder is searched.
_TRIED = 32


def sampled(values: Sequence[_Value], count: int = _TRIED) -> Sequence[_Value]:
    """Return at most `count` values, at even distances."""
    return values[:: max(-(-len(values) // count), 1)]


def joined(root: Path, names: Iterable[str]) -> list[str]:
    """Return the paths of names below a folder; a URL stays as it is."""
    folder = str(root)
    return [name if is_url(name) else os.path.join(folder, name) for name in names]


def located(names: Sequence[str], root: Path, suffix: str = "") -> list[str]:
    """Find the videos that a list names: as paths below a folder, or else as ends of paths anywhere below it.

    Args:
        names: Paths, file names or ids; an id is a path or a name without its suffix, or a folder of frames.
        root: The folder.
        suffix: Suffix of the path of an id whose file is missing. Default: none.

    Returns:
        One path for each name. If none of some names is a path that exists, the folder is searched.
    """
    if any(is_url(name) or is_video_there(root, name) for name in sampled(names)):
        return joined(root, names)
    plain = list(map(os.path.normpath, names))
    found = find_by_name(root, set(plain))
    usual = joined(root, (name if looks_like_video(name) else name + suffix for name in names))
    if not found:
        return usual
    return [found.get(name, path) for name, path in zip(plain, usual, strict=True)]


def find_by_name(root: Path, names: set[str]) -> dict[str, str]:
    """Search a folder, at every depth, for files and folders of frames.

    Args:
        root: The folder. Hidden files and folders are skipped, and so is what lies in a folder that is found.
        names: File names with or without suffix, or names of folders; "a/0.mp4" is only found in a folder "a".

    Returns:
        Name -> path. A file precedes a folder of the same name; among several files, the first one in the order of
        paths counts.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    depths = {name.count("/") for name in names}
    last = {name.rpartition("/")[2] for name in names}
    queue = [str(root)]
    for folder in queue:  # grows
        below = []
        for entry in _entries(folder):
            stem = os.path.splitext(entry.name)[0]
            if entry.is_dir():
                if is_system_folder(entry.name):
                    continue
                ends = _ends(entry.path, depths) & names if entry.name in last else set()
                for name in ends:
                    folders.setdefault(name, entry.path)
                if not ends:
                    below.append(entry.path)
            elif is_video_name(entry.name) and (entry.name in last or stem in last):
                ends = (_ends(entry.path, depths) | _ends(os.path.splitext(entry.path)[0], depths)) & names
                for name in ends:
                    files.setdefault(name, entry.path)
        queue += below
    return folders | files


def _ends(path: str, depths: Iterable[int]) -> set[str]:
    """The ends of a path that have these numbers of folders."""
    parts = path.split("/")
    return {"/".join(parts[-depth - 1 :]) for depth in depths if depth < len(parts)}


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError:
        return []
