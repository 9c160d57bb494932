"""Which videos are measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from videogn.axes import VideoRecord
from videogn.data.index import read_index
from videogn.data.video_files import VIDEO_SUFFIXES, find_videos


def find_records(paths: Iterable[str], root: str | None = None) -> list[VideoRecord]:
    """List the videos that paths stand for.

    Args:
        paths: videos, folders of them, lists, Kinetics CSVs or Parquet indices. A path that does not exist is taken
            for a video, which fails when it is opened.
        root: where the videos of lists lie.

    Returns:
        The videos, in order; a video named twice is there once.

    Raises:
        ValueError: a folder without videos, or a list that cannot be read.
        FileNotFoundError: `root` does not exist.
    """
    found: dict[str, VideoRecord] = {}
    for path in paths:
        for record in _records(path, root):
            found.setdefault(record.path, record)
    return list(found.values())


def _records(path: str, root: str | None) -> Sequence[VideoRecord]:
    place = Path(path).expanduser()
    if place.is_dir():
        return [VideoRecord(video, None) for video in find_videos(place)]
    if place.suffix.lower() in VIDEO_SUFFIXES or not place.is_file():
        return [VideoRecord(str(place) if place.exists() else path, None)]
    return read_index(place, root=root).records
