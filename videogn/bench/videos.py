"""Which videos are measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from videogn.data.records import Records
from videogn.data.sources import read_index
from videogn.data.video_files import VIDEO_SUFFIXES, find_videos


def find_records(paths: Iterable[str], root: str | None = None) -> Records:
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
    found = pa.concat_tables([_records(path, root).table for path in paths])
    # Of a million videos a few are measured: none of the others becomes an object.
    rows = pa.table({"path": found["path"], "row": np.arange(len(found))})
    first = rows.group_by("path").aggregate([("row", "min")])["row_min"].combine_chunks()
    return Records(found).take(np.sort(first))


def _records(path: str, root: str | None) -> Records:
    place = Path(path).expanduser()
    if place.is_dir():
        videos = find_videos(place)
        return Records.of_columns(videos, [None] * len(videos))
    if place.suffix.lower() in VIDEO_SUFFIXES or not place.is_file():
        return Records.of_columns([str(place) if place.exists() else path], [None])
    return read_index(place, root=root).records
