"""Reading of the Parquet index that `videogn data index` writes, column by column: no row becomes a Python object."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote_from_bytes

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from videogn.checks import existing_path
from videogn.data.labels import class_names, number_labels
from videogn.data.layouts import SPLIT_NAMES, split_name
from videogn.data.records import Records
from videogn.data.stored_paths import opened_path
from videogn.data.video_index import VideoIndex
from videogn.system.displayable import displayable
from videogn.video.storage import exists, is_url

SUFFIX = ".parquet"
#: Key of the metadata of the file: JSON with the root, the classes and other facts.
METADATA_KEY = b"videogn.index"
VERSION = 1
#: Statuses of videos that are used; others are not opened. A slow one only if it could be opened: clips of it may well
#: decode in time.
USABLE = ("ok", "short", "slow")

_SEGMENT = ("start_time", "end_time", "start_frame", "end_frame")
_STATE = ("note", "mtime_ns")
_READ = (
    "path",
    "label",
    "split",
    "frames",
    "status",
    "reason",
    "start",
    "bytes",
    "sha256",
    *_SEGMENT,
    "labels",
    *_STATE,
    "survey",
)
#: Number of videos that are looked for where an index may have moved.
_LOOKED_UP = 20
_ANCHORED = r"^(/|[A-Za-z]:[\\/]|[A-Za-z][A-Za-z0-9+.-]*://)"


def read_parquet(
    source: Path,
    *,
    root: str | Path | None = None,
    classes: Sequence[str] | None = None,
    split: str | None = None,
    use_truncated: bool = False,
) -> VideoIndex:
    """Read a Parquet index; its records are mapped from a file, not held in memory.

    Args:
        source: The file. It must have the columns "path" and "label" (class name), and may have "labels" (a list of
            class names, where a video may show several and "label" is null), "split", "frames",
            "status", "reason", "start" and "bytes" (place of a member in its shard), "sha256", and "start_time" and
            "end_time" in seconds or "start_frame" and "end_frame" (the part of the video that is the example).
        root: Present folder of the data set, if it was moved; it replaces the root in the file. In a file without a
            root, paths are relative to this folder, or by default to the folder of the file.
        classes: Class names in order. Default: those in the file.
        split: Split to take. Default: all rows.
        use_truncated: Whether to use videos whose end is missing, as far as they decode.

    Returns:
        The index. A video that is not usable has an error, "status: reason".

    Raises:
        FileNotFoundError: If `root` does not exist.
        ValueError: If the file is no such index, has no such split, or has a wrong label.
    """
    table, stored = _read(source)
    if split is not None:
        table = _of_split(table, split, source)
    if not len(table):
        raise ValueError(f"no video in {source}")
    paths, base = _paths(table, stored.get("root"), root, source)
    labels = table["label"].cast(pa.large_string()).combine_chunks().dictionary_encode()
    sets = _label_sets(table)
    places = {name: str(source) for name in labels.dictionary.to_pylist()}
    several = {name: str(source) for name in pc.list_flatten(sets).unique().to_pylist()}
    names = (
        classes
        if classes is not None
        else stored.get("classes") or (class_names(places | several) if places or several else ())
    )
    numbers = number_labels(places | several, names, numbers=True)
    columns = {
        "path": paths,
        "label": pa.array([numbers[name] for name in places], pa.int32()).take(labels.indices),
        "error": _errors(table, use_truncated),
    }
    if "frames" in table.column_names:
        columns["frames"] = table["frames"]
        if "status" in table.column_names:  # of a slow video, not all frames were counted
            columns["frames"] = pc.if_else(pc.equal(_statuses(table), "slow"), None, table["frames"])
    if {"start", "bytes"} <= set(table.column_names):  # members of shards
        columns |= {"start": table["start"], "length": table["bytes"]}
    if stored.get("decode") is True and {"status", "bytes", *_STATE} <= set(table.column_names):
        columns |= _checked_states(table)
    columns |= {name: table[name] for name in _SEGMENT if name in table.column_names}
    if sets.null_count < len(sets):
        numbered = [None if each is None else sorted(numbers[name] for name in each) for each in sets.to_pylist()]
        columns["labels"] = pa.array(numbered, pa.list_(pa.int32()))
    if "sha256" in table.column_names:
        columns["content"] = _contents(table["sha256"])
    return VideoIndex(Records(pa.table(columns)).mapped(), tuple(names), base, "status" in table.column_names)


def parquet_splits(source: Path) -> tuple[str, ...]:
    """Return the splits of a Parquet index: "train", "val" and "test" first, in this order, then any others."""
    table, _ = _read(source, ("split",))
    if "split" not in table.column_names:
        return ()
    values = {split_name(value) for value in table["split"].unique().drop_null().to_pylist()}
    return tuple(sorted(values, key=lambda value: ([*SPLIT_NAMES, value].index(value), value)))


def file_facts(source: Path, columns: Sequence[str], *, root: str | None = None) -> tuple[pa.Table, str]:
    """Read facts of the files of a Parquet index.

    Args:
        source: The index.
        columns: Names of the facts.
        root: Present folder of the data set, as for `read_parquet`.

    Returns:
        Table with the present path of each video, as `displayable` writes it, and the facts, null where the index has
        none; and the root of the videos.

    Raises:
        ValueError: If the file is no index.
    """
    table, stored = _read(source, ("path", *columns))
    paths, base = _paths(table, stored.get("root"), root, source)
    facts = {name: table[name] if name in table.column_names else pa.nulls(len(table)) for name in columns}
    return pa.table({"path": [displayable(opened_path(path)) for path in paths.to_pylist()], **facts}), base


def came_along(source: Path, folder: str) -> bool:
    """Return whether the videos of an index lie below the folder that it is in, and not where it says.

    Args:
        source: The index.
        folder: Its folder.

    Returns:
        True if one of its first videos lies there, arranged as below its root, or if its root does not exist.
    """
    table, stored = _read(source, ("path",))
    root = stored.get("root")
    paths, _ = _paths(table.slice(0, _LOOKED_UP), root, folder, source)
    there = any(exists(opened_path(path)) for path in paths.to_pylist())
    return there or root is None or not (is_url(root) or os.path.isdir(opened_path(root)))


def _read(source: Path, wanted: Sequence[str] = _READ) -> tuple[pa.Table, dict[str, Any]]:
    from videogn.data.index_values import check_rows, check_values, read_facts  # other sources do without

    try:
        with pq.ParquetFile(source) as file:  # not mapped: who cuts a mapped file short kills this process
            names = file.schema_arrow.names
            if absent := [name for name in ("path", "label") if name not in names]:
                have = ", ".join(names)
                raise ValueError(f"{source}: an index without the column {absent[0]!r} (it has {have})")
            check_rows(file, source)
            table = file.read([name for name in wanted if name in names])
            check_values(table.select([name for name in _READ if name in table.column_names]), source)
            stored = read_facts((file.schema_arrow.metadata or {}).get(METADATA_KEY, b"{}"), source)
            if stored.get("version", VERSION) != VERSION:
                raise ValueError(f"{source} was written by another version of videogn; run `videogn data index` again")
            return table, stored
    except (pa.ArrowException, OSError) as error:
        what = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"{source} cannot be read as a Parquet index ({what})") from None


def _label_sets(table: pa.Table) -> pa.Array:
    """The names of the classes of each video that may show several; null for the others."""
    kind = pa.list_(pa.string())
    return table["labels"].cast(kind).combine_chunks() if "labels" in table.column_names else pa.nulls(len(table), kind)


def _of_split(table: pa.Table, split: str, source: Path) -> pa.Table:
    if "split" not in table.column_names:
        raise ValueError(f"{source} has no split {split!r}: it has no column 'split'")
    chosen = pc.is_in(table["split"], pa.array(SPLIT_NAMES.get(split_name(split), (split,)), table["split"].type))
    rows = table.drop_columns(["split"]).filter(chosen)
    if not len(rows):
        there = ", ".join(sorted(table["split"].unique().drop_null().to_pylist())) or "none"
        raise ValueError(f"{source} has no split {split!r}; those there are: {there}")
    return rows


def _paths(table: pa.Table, stored: str | None, given: str | Path | None, source: Path) -> tuple[pa.ChunkedArray, str]:
    """Present paths of the videos, and their root."""
    paths = table["path"].cast(pa.large_string())
    root = stored or str(source.parent)
    if given is not None:
        now = str(given) if is_url(str(given)) else os.path.abspath(existing_path(given))
        # A root above the one in the file changes nothing as long as that one still exists.
        if stored is None or not (os.path.isdir(stored) and os.path.join(stored, "").startswith(os.path.join(now, ""))):
            root = now
    if stored is not None and root != stored:
        for before, after in ((stored, root), (_as_url(stored), _as_url(root))):
            old, new = os.path.join(before, ""), os.path.join(after, "")
            moved = pc.binary_replace_slice(paths, 0, len(old.encode()), new)
            paths = pc.if_else(pc.starts_with(paths, old), moved, paths)
    anchored = pc.match_substring_regex(paths, _ANCHORED)
    if not pc.all(anchored).as_py():
        prefix = pa.scalar(os.path.join(root, ""), pa.large_string())
        empty = pa.scalar("", pa.large_string())
        paths = pc.if_else(anchored, paths, pc.binary_join_element_wise(prefix, paths, empty))
    return paths, root


def _as_url(folder: str) -> str:
    """A folder as `stored_path` writes it before a name that is not UTF-8."""
    return "file://" + quote_from_bytes(os.fsencode(folder))


def usable(table: pa.Table) -> pa.Array | pa.ChunkedArray:
    """Return which videos are used, bool: those that decode, and slow ones of which some frames were decoded.

    Args:
        table: Rows with the column status, and perhaps frames.
    """
    status = _statuses(table)
    unopened = pc.equal(status, "slow")
    if "frames" in table.column_names:
        unopened = pc.and_(unopened, pc.less(pc.fill_null(table["frames"], 0), 1))
    return pc.and_(pc.is_in(status, pa.array(USABLE, pa.large_string())), pc.invert(unopened))


def _statuses(table: pa.Table) -> pa.ChunkedArray:
    return pc.fill_null(table["status"].cast(pa.large_string()), USABLE[0])


def _checked_states(table: pa.Table) -> dict[str, pa.ChunkedArray]:
    """State and survey of the files all frames of which decode; null where anything at all was found."""
    fine = pc.and_(pc.equal(_statuses(table), USABLE[0]), pc.is_null(table["note"]))
    names = {"checked_bytes": table["bytes"], "mtime_ns": table["mtime_ns"]}
    if "survey" in table.column_names:
        names["survey"] = table["survey"].cast(pa.large_string())
    return {name: pc.if_else(fine, values, None) for name, values in names.items()}


def _contents(hashes: pa.ChunkedArray) -> pa.Array:
    """The first 64 bits of each hash as int64: of a million files, two get the same with a probability of 3e-8."""
    hashes = hashes.cast(pa.large_string())  # a column of nulls alone may have no type
    known = pc.fill_null(pc.match_substring_regex(hashes, "^[0-9a-f]{64}$"), False).combine_chunks()
    starts = pc.utf8_slice_codeunits(hashes.filter(known), 0, 16)
    numbers = np.frombuffer(bytes.fromhex("".join(starts.to_pylist())), ">i8").astype(np.int64)
    return pc.replace_with_mask(pa.nulls(len(hashes), pa.int64()), known, pa.array(numbers))


def _errors(table: pa.Table, use_truncated: bool) -> pa.ChunkedArray | pa.Array:
    if "status" not in table.column_names:
        return pa.nulls(len(table), pa.large_string())
    text = status = _statuses(table)
    if "reason" in table.column_names:
        reason = table["reason"].cast(pa.large_string())
        joined = pc.binary_join_element_wise(status, reason, pa.scalar(": ", pa.large_string()))
        text = pc.if_else(pc.fill_null(pc.equal(reason, ""), True), status, joined)
    fine = usable(table)
    if use_truncated:
        fine = pc.or_(fine, pc.equal(status, "truncated"))
    return pc.if_else(fine, pa.scalar(None, pa.large_string()), text)
