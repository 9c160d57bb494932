"""`read_index`: a source of any layout to a table of videos. No video is opened.

Each layout has one reader: `read_class_folders`, `read_kinetics` and `read_list` in layouts.py, `read_shards` in
shards.py, `read_parquet` in parquet_index.py. A new layout is a function that returns `Row`s, and a line of
`read_index`. The meaning of a label is decided once, in labels.py.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from videogn.checks import existing_path, expanded
from videogn.data.labels import class_names, number_labels
from videogn.data.layouts import LAYOUTS, Row, read_class_folders, read_kinetics, read_list, read_text
from videogn.data.parquet_index import SUFFIX as PARQUET_SUFFIX
from videogn.data.parquet_index import read_parquet
from videogn.data.records import Records
from videogn.data.shards import find_shards, is_shards, read_shards, shards_root
from videogn.data.stored_paths import opened_path
from videogn.data.video_files import VIDEO_SUFFIXES
from videogn.data.video_index import VideoIndex
from videogn.video.storage import is_url


def read_index(
    source: str | Path,
    *,
    root: str | Path | None = None,
    classes: Sequence[str] | None = None,
    split: str | None = None,
    use_truncated: bool = False,
) -> VideoIndex:
    """Read the table of videos of a data set in any layout.

    Args:
        source: Folder of class folders; Kinetics CSV; text file with one "path label" per line (separated by a tab, a
            comma or blanks; blank lines and lines that start with # are skipped); Parquet file of `videogn data index`;
            or tar shards: one, a folder of them, or a pattern such as "train-{000..099}.tar", also at a URL.
        root: Folder that the relative paths of a list refer to, or that holds the videos of a Kinetics CSV. Default:
            the folder of the file. For a Parquet index, the present place of its root. Ignored for class folders and
            shards.
        classes: Class names in order. Default: those of a Parquet index; else the sorted names that occur, or "0" up to
            the largest if all labels of a list or of shards are numbers. Names that differ only in "_" for " " are the
            same.
        split: Split to take from a Parquet index. Default: all rows.
        use_truncated: Whether to use videos of a Parquet index whose end is missing, as far as they decode.

    Returns:
        The index. Videos that do not exist stay in it; `VideoIndex.missing` lists them.

    Raises:
        FileNotFoundError: If `source` or `root` does not exist.
        ValueError: If no layout fits, a line or a label is wrong, or there is no video or no such split.
    """
    if is_shards(name := opened_path(str(source if is_url(str(source)) else expanded(source)))):
        shards = find_shards(name)
        return _build(read_shards(shards), source, shards_root(shards), classes, numbers=True, checked=True)
    source = existing_path(source)
    if source.is_dir():
        rows, folders = read_class_folders(source)
        return _build(rows, source, source, folders if classes is None else classes)
    if source.suffix.lower() == PARQUET_SUFFIX:
        return read_parquet(source, root=root, classes=classes, split=split, use_truncated=use_truncated)
    if source.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(f"{source} is a video, not an index; expected {LAYOUTS}")
    return _read_text_file(source, source.parent if root is None else existing_path(root), classes)


def check_root(source: str | Path, root: str | Path | None) -> None:
    """Refuse a root for a source that gives the places of its videos itself.

    Args:
        source: Source for `read_index`, or a video.
        root: Folder with the videos of a CSV or list, or None.

    Raises:
        FileNotFoundError: If `root` does not exist.
        ValueError: If `source` is neither a CSV nor a list.
    """
    if root is None:
        return
    existing_path(root)
    path = expanded(source)
    if is_shards(str(path)) or path.is_dir() or path.suffix.lower() in (PARQUET_SUFFIX, *VIDEO_SUFFIXES):
        raise ValueError(f"--root says where the videos of a CSV or list lie; {source} is neither, leave it out")


def _first_places(rows: Sequence[Row]) -> dict[str, str]:
    """Label -> place where it first occurs, in that order."""
    places: dict[str, str] = {}
    for row in rows:
        if row.label is not None:
            places.setdefault(row.label, row.where)
    return places


def _read_text_file(source: Path, root: Path, classes: Sequence[str] | None) -> VideoIndex:
    text = read_text(source)
    header = [name.strip().lower() for name in next(csv.reader(text.split("\n", 1)[:1]), [])]
    if "youtube_id" in header:
        return _build(read_kinetics(text, header, source, root), source, root, classes)
    return _build(read_list(text, source, root), source, root, classes, numbers=True)


def _build(
    rows: list[Row],
    source: str | Path,
    root: str | Path,
    classes: Sequence[str] | None,
    *,
    numbers: bool = False,
    checked: bool = False,
) -> VideoIndex:
    """Turn labels into class numbers. `classes` are those that occur by default; `numbers` allows numbers as labels."""
    if not rows:
        raise ValueError(f"no video in {source}; expected {LAYOUTS}")
    places = _first_places(rows)
    if classes is None:
        classes = class_names(places) if numbers else sorted(places)
    label_numbers = number_labels(places, classes, numbers=numbers)
    records = Records.of_columns(
        [row.path for row in rows],
        [None if row.label is None else label_numbers[row.label] for row in rows],
        errors=[row.error for row in rows] if any(row.error for row in rows) else None,
    )
    return VideoIndex(records, tuple(classes), str(root), checked)
