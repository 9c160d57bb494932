"""The videos that a source lists, with class names and splits, before any of them is opened."""

from __future__ import annotations

import csv
import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from videogn.checks import existing_path, expanded
from videogn.data.layouts import split_name
from videogn.data.sources import check_root, read_index
from videogn.data.splits import find_splits
from videogn.data.stored_paths import path_array
from videogn.data.video_files import VIDEO_SUFFIXES, walk_videos
from videogn.data.video_index import VideoIndex
from videogn.indexing.catalogue import LISTED, read_catalogue
from videogn.system.files import displayable
from videogn.video.storage import is_url

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    """The videos of a source.

    Attributes:
        table: Columns `catalogue.LISTED`: path (absolute, as stored), label (class name or null), split (or null) and
            start (of a member in its shard).
        classes: Class names in the order of their numbers.
        root: Folder that relative paths refer to.
        searched: Folder whose videos should all be listed; None if there is none.
    """

    table: pa.Table
    classes: tuple[str, ...]
    root: str
    searched: str | None


def read_listing(source: str | Path, root: str | Path | None = None) -> Listing:
    """List the videos of any source that can be indexed.

    Args:
        source: Class folders, root of a data set with splits, Kinetics CSV, list of "path label" lines, folder of loose
            videos, one video, tar shards, or an index to be made again.
        root: Folder with the videos of a CSV or list. Default: the folder of the file. Not for other sources.

    Returns:
        The listing, in the order of the source.

    Raises:
        FileNotFoundError: If `source` or `root` does not exist.
        ValueError: If there is no video, a line or label is wrong, or `root` is given for another source.
    """
    check_root(source, root)
    path = Path(os.path.abspath(expanded(source)))
    if path.is_dir():
        return _read_folder(path)
    if path.suffix.lower() == ".parquet":
        catalogue = read_catalogue(path)
        facts = catalogue.facts
        return Listing(catalogue.table.select(LISTED.names), facts.classes, facts.root, facts.searched)
    if path.is_file() and path.suffix.lower() in VIDEO_SUFFIXES:
        return Listing(_table([str(path)], None, None), (), str(path.parent), None)
    # Only a local file can be made absolute: shards may be a pattern or a URL.
    index = read_index(path if path.exists() else source, root=root and os.path.abspath(existing_path(root)))
    splits = _split_column(path) if path.suffix.lower() == ".csv" else None
    searched = os.path.abspath(index.root) if path.suffix.lower() != ".tar" and path.is_file() else None
    return Listing(_rows(index, splits), tuple(map(displayable, index.classes)), index.root, searched)


def unlisted_videos(searched: str, listed: pa.Table) -> list[str]:
    """Find the videos on disk that no row lists.

    Args:
        searched: Folder to search at every depth.
        listed: Rows with the column path, as stored.

    Returns:
        Paths of the videos, in the order of their names.
    """
    known = set(listed["path"].to_pylist())
    found = list(walk_videos(searched))
    return [path for path, stored in zip(found, path_array(found).to_pylist(), strict=True) if stored not in known]


def names_hash(paths: Iterable[str], folder: str) -> str:
    """Hash the names of files below a folder."""
    names = sorted(os.fsencode(os.path.relpath(path, folder)) for path in paths)
    return hashlib.sha256(b"\0".join(names)).hexdigest()


def _read_folder(folder: Path) -> Listing:
    sources = find_splits(folder)
    if not sources and _is_loose(folder):
        found = sorted(walk_videos(str(folder)))
        return Listing(_table(found, None, None), (), str(folder), str(folder))
    if not sources:
        index = read_index(folder)
        return Listing(_rows(index, None), tuple(map(displayable, index.classes)), str(folder), str(folder))
    indices = {split: read_index(source, root=folder) for split, source in sources.items()}
    classes = _joined_classes(indices)
    spelling = {name.replace("_", " "): name for name in classes}
    tables = []
    for split, index in indices.items():
        table = _rows(index, [split] * len(index))
        labels = [None if name is None else spelling[name.replace("_", " ")] for name in table["label"].to_pylist()]
        tables.append(table.set_column(1, "label", pa.array(labels, pa.string())))
    return Listing(pa.concat_tables(tables), classes, str(folder), str(folder))


def _is_loose(folder: Path) -> bool:
    """Whether videos lie directly in a folder, and none deeper."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    loose = any(entry.suffix.lower() in VIDEO_SUFFIXES and not entry.is_dir() for entry in entries)
    return loose and not any(next(walk_videos(str(entry)), None) for entry in entries if entry.is_dir())


def _joined_classes(indices: dict[str, VideoIndex]) -> tuple[str, ...]:
    """The training split's classes in their order, then those that only other splits have.

    As everywhere, names that differ only in "_" for " " are the same.
    """
    joined: dict[str, str] = {}
    for split, index in indices.items():
        new = {name.replace("_", " "): displayable(name) for name in index.classes}
        if joined and (unknown := sorted(new.keys() - joined.keys())):
            _log.warning("class %r occurs in %s, but not before it", unknown[0], split)
        joined = {**new, **joined} if not joined else joined | {key: new[key] for key in new if key not in joined}
    return tuple(joined.values())


def _rows(index: VideoIndex, splits: Sequence[str | None] | None) -> pa.Table:
    records = index.records.table
    names = pa.array(list(map(displayable, index.classes)), pa.string())
    return _table(records["path"].to_pylist(), names.take(records["label"].combine_chunks()), splits, records["start"])


def _table(
    paths: Sequence[str],
    labels: pa.Array | None,
    splits: Sequence[str | None] | None,
    start: pa.ChunkedArray | None = None,
) -> pa.Table:
    columns = {"path": path_array(list(map(_absolute, paths))), "label": labels, "split": splits, "start": start}
    nothing = [None] * len(paths)
    given = {name: nothing if column is None else column for name, column in columns.items()}
    return pa.table(given).cast(LISTED)


def _absolute(path: str) -> str:
    """As os.path.abspath, but fast for an absolute path; a URL stays as it is."""
    plain = path.startswith("/") and "//" not in path and "/." not in path
    return path if plain or is_url(path) else os.path.abspath(path)


def _split_column(path: Path) -> Sequence[str | None] | None:
    """The split of each row of a Kinetics CSV, in the order of `read_index`; None if it has no splits."""
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows: Iterable[list[str]] = csv.reader(file)
        header = [name.strip().lower() for name in next(iter(rows), [])]
        if "youtube_id" not in header or "split" not in header:
            return None
        column = header.index("split")
        names = [row[column].strip().lower() for row in rows if any(row)]
    return [split_name(name) or None for name in names]
