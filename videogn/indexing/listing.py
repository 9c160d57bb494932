"""The videos that a source lists, with class names and splits, before any of them is opened."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from videogn.checks import existing_path, expanded
from videogn.data.data_layout import INDEX, UNDIVIDED, find_layout
from videogn.data.left_out import LeftOut, joined_left_out
from videogn.data.lists.list_sources import is_list
from videogn.data.lists.reading import split_column
from videogn.data.sources import check_root, read_index
from videogn.data.splits import read_sources
from videogn.data.stored_paths import path_array
from videogn.data.video_files import is_video_name, walk_videos
from videogn.data.video_index import VideoIndex
from videogn.indexing.catalogue import LISTED, NAMING, read_catalogue
from videogn.system.displayable import displayable
from videogn.video.storage import is_url

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    """The videos of a source.

    Attributes:
        table: Columns `catalogue.LISTED`: path (absolute, as stored), label (class name or null) or labels, split (or
            null) and start (of a member in its shard).
        classes: Class names in the order of their numbers.
        root: Folder that relative paths refer to.
        searched: Folder whose videos should all be listed; None if there is none.
        left_out: Files in class folders that are not read, by folder.
    """

    table: pa.Table
    classes: tuple[str, ...]
    root: str
    searched: str | None
    left_out: LeftOut = field(default_factory=dict)


def read_listing(
    source: str | Path, root: str | Path | None = None, columns: Mapping[str, str] | None = None
) -> Listing:
    """List the videos of any source that can be indexed.

    Args:
        source: Class folders, root of a data set with splits, Kinetics CSV, list of "path label" lines, folder of loose
            videos, one video, tar shards, or an index to be made again.
        root: Folder with the videos of a CSV or list. Default: the folder of the file. Not for other sources.
        columns: Role -> name of a column of a list; see `videogn.data.lists.columns`. Default: as the list says.

    Returns:
        The listing, in the order of the source.

    Raises:
        FileNotFoundError: If `source` or `root` does not exist.
        ValueError: If there is no video, a line or label is wrong, or `root` is given for another source.
    """
    check_root(source, root)
    path = Path(os.path.abspath(expanded(source)))
    if path.is_dir():
        return _read_folder(path, root, columns)
    if path.suffix.lower() == ".parquet":
        return _read_again(path)
    if path.is_file() and is_video_name(path.name):
        return Listing(_table([str(path)], {}), (), str(path.parent), None)
    # Only a local file can be made absolute: shards may be a pattern or a URL.
    place = None if root is None else os.path.abspath(existing_path(root))
    index = read_index(path if path.exists() or is_list(str(path)) else source, root=place, columns=columns)
    listed = is_list(str(path))
    splits = split_column(path, Path(index.root), columns or {}) if listed else None
    searched = os.path.abspath(index.root) if listed else None
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


def _read_folder(folder: Path, root: str | Path | None, columns: Mapping[str, str] | None) -> Listing:
    layout = find_layout(folder, anew=True)
    if layout.kind == "index":
        return _read_again(Path(folder, INDEX))
    place = None if root is None else os.path.abspath(existing_path(root))
    base = place or str(folder)
    indices = read_sources(layout, place, columns)
    classes = joined_classes(indices)
    if UNDIVIDED in indices:
        index = indices[UNDIVIDED]
        return Listing(_rows(index, None), classes, base, base, index.left_out)
    spelling = {name.replace("_", " "): name for name in classes}
    tables = []
    for split, index in indices.items():
        table = _rows(index, [split] * len(index))
        labels = [None if name is None else spelling[name.replace("_", " ")] for name in table["label"].to_pylist()]
        table = table.set_column(1, "label", pa.array(labels, pa.string()))
        sets = [each and [spelling[name.replace("_", " ")] for name in each] for each in table["labels"].to_pylist()]
        place = table.column_names.index("labels")
        tables.append(table.set_column(place, "labels", pa.array(sets, LISTED.field("labels").type)))
    left_out = joined_left_out(index.left_out for index in indices.values())
    return Listing(pa.concat_tables(tables), classes, base, base, left_out)


def _read_again(index: Path) -> Listing:
    catalogue = read_catalogue(index)
    facts = catalogue.facts
    return Listing(catalogue.table.select(LISTED.names), facts.classes, facts.root, facts.searched)


def joined_classes(indices: Mapping[str, VideoIndex]) -> tuple[str, ...]:
    """Join the classes of the splits of a data set.

    Args:
        indices: Split -> index.

    Returns:
        The first split's classes in their order, then those that only other splits have. As everywhere, names of two
        splits that differ only in "_" for " " are the same.
    """
    first, *others = indices.items()
    joined = list(map(displayable, first[1].classes))
    known = {name.replace("_", " ") for name in joined}
    for split, index in others:
        new = {name.replace("_", " "): displayable(name) for name in index.classes}
        if unknown := sorted(new.keys() - known):
            _log.warning("class %r occurs in %s, but not before it", unknown[0], split)
        joined += [new[name] for name in new if name not in known]
        known |= new.keys()
    return tuple(joined)


def _rows(index: VideoIndex, splits: Sequence[str | None] | None) -> pa.Table:
    records = index.records.table
    names = pa.array(list(map(displayable, index.classes)), pa.string())
    labels = names.take(records["label"].combine_chunks())
    sets = [each and [names[number].as_py() for number in each] for each in records["labels"].to_pylist()]
    columns = {"label": labels, "labels": pa.array(sets, LISTED.field("labels").type), "split": splits}
    return _table(records["path"].to_pylist(), columns, records)


def _table(paths: Sequence[str], columns: Mapping[str, Any], records: pa.Table | None = None) -> pa.Table:
    """Columns `LISTED`: the paths, those given, those of records; the others are null."""
    nothing = [None] * len(paths)
    others = {name: nothing if records is None or name in NAMING else records[name] for name in LISTED.names}
    given = {name: column for name, column in columns.items() if column is not None}
    table = pa.table({**others, **given, "path": path_array(list(map(_absolute, paths)))})
    return table.select(LISTED.names).cast(LISTED)


def _absolute(path: str) -> str:
    """As os.path.abspath, but fast for an absolute path; a URL stays as it is."""
    plain = path.startswith("/") and "//" not in path and "/." not in path
    return path if plain or is_url(path) else os.path.abspath(path)
