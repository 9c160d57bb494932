"""Suffixes of video files, and the search for videos below a folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

from videogn.checks import existing_path
from videogn.system.files import displayable

_log = logging.getLogger(__name__)

VIDEO_SUFFIXES = tuple(".mp4 .mkv .webm .avi .mov .m4v .mpg .mpeg .ts .mts .3gp .flv .wmv .gif .ogv".split())  # noqa: SIM905


def find_videos(path: str | Path) -> list[str]:
    """List the videos at a path.

    Args:
        path: File with any suffix, or folder, searched at every depth. Hidden files and folders are skipped.

    Returns:
        The file itself, or the videos in the folder, sorted.

    Raises:
        FileNotFoundError: If `path` does not exist.
        ValueError: If the folder holds no video.
    """
    path = existing_path(path)
    if not path.is_dir():
        return [str(path)]
    videos = sorted(walk_videos(str(path)))
    if not videos:
        raise ValueError(f"no video in {path} (looked for {' '.join(VIDEO_SUFFIXES)})")
    return videos


def walk_videos(folder: str, above: frozenset[str] = frozenset()) -> Iterator[str]:
    """Find the videos below a folder, at every depth; hidden files and folders are skipped.

    Args:
        folder: Folder to search.
        above: Real paths of the folders above, for the recursion.

    Yields:
        Paths, in the order of names.
    """
    real = os.path.realpath(folder)
    # Links are followed, except those that lead back up: their videos would be counted twice.
    if any(os.path.join(folder_above, "").startswith(os.path.join(real, "")) for folder_above in above):
        return
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except PermissionError as error:
        if not above:  # the first folder
            raise
        _log.warning("%s: %s; its videos are left out", displayable(folder), error.strerror)
        return
    for entry in sorted(visible, key=lambda entry: entry.name):
        if _is_folder(entry):
            yield from walk_videos(entry.path, above | {real})
        elif entry.name.lower().endswith(VIDEO_SUFFIXES):
            yield entry.path


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself; opening it gives the error
        return False
