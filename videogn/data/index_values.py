"""What the values of a Parquet index may be: it is a file from outside like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from videogn.checks import read_json

#: Rows that a file has beside one for each of its bytes. Every video has a path, or a part, of its own.
_SPARE_ROWS = 10_000
#: Column -> kind of its values, as a message calls it, and the least and the largest.
_NUMBERS = {
    "frames": ("whole numbers", -1, 10**9),
    "start_frame": ("whole numbers", 0, 10**9),
    "end_frame": ("whole numbers", 0, 10**9),
    "start": ("whole numbers", 0, 2**62),
    "bytes": ("whole numbers", 0, 2**62),
    "mtime_ns": ("whole numbers", -(2**63), 2**63 - 1),
    "start_time": ("numbers", 0, 10**9),
    "end_time": ("numbers", 0, 10**9),
}
_TEXTS = ("path", "label", "split", "status", "reason", "note", "sha256", "survey")


def check_rows(file: pq.ParquetFile, source: Path) -> None:
    """Refuse a file that says to have more rows than it can, before they are read.

    Raises:
        ValueError: It does.
    """
    rows, size = file.metadata.num_rows, source.stat().st_size
    if rows > size + _SPARE_ROWS:
        raise ValueError(f"{source} says to have {rows:,} rows in {size:,} bytes: it is no index of videos")


def check_values(table: pa.Table, source: Path) -> None:
    """Refuse columns of another type, and numbers that are none of a video.

    Args:
        table: The columns that are read.
        source: The file, for messages.

    Raises:
        ValueError: A value is wrong.
    """
    for name in table.column_names:
        kind = table.schema.field(name).type
        if name in _TEXTS and not _is_text(kind):
            raise ValueError(f"{source}: the column {name!r} must be text, and is {kind}")
        if name == "labels" and not (_is_list(kind) and _is_text(kind.value_type)):
            raise ValueError(f"{source}: the column {name!r} must be lists of text, and is {kind}")
        if name in _NUMBERS:
            _check_numbers(table[name], name, source)
    if "path" in table.column_names and table["path"].null_count:
        row = pc.index(pc.is_null(table["path"]), True).as_py()
        raise ValueError(f"{source}, row {row + 1}: no path; every row needs that of a video")


def read_facts(text: bytes, source: Path) -> dict[str, Any]:
    """Read what an index says of itself, in its metadata.

    Args:
        text: The JSON.
        source: The file, for messages.

    Returns:
        Facts by name; "root", if it is there, is text or None, and "classes" are texts.

    Raises:
        ValueError: It is no such JSON.
    """
    facts = read_json(text, source)
    if not isinstance(facts, dict):
        raise ValueError(f"{source}: what the index says of itself must be names with values, got {facts!r}")
    root, classes = facts.get("root"), facts.get("classes") or []
    if not isinstance(root, str | None):
        raise ValueError(f"{source}: the root of the index must be the name of a folder, got {root!r}")
    if not (isinstance(classes, list) and all(isinstance(name, str) for name in classes)):
        raise ValueError(f"{source}: the classes of the index must be a list of names, got {classes!r}")
    return facts


def _check_numbers(column: pa.ChunkedArray, name: str, source: Path) -> None:
    expected, least, most = _NUMBERS[name]
    kind = column.type
    fits = pa.types.is_integer(kind) or (expected == "numbers" and pa.types.is_floating(kind)) or pa.types.is_null(kind)
    if not fits:
        raise ValueError(f"{source}: the column {name!r} must be {expected}, and is {kind}")
    if pa.types.is_null(kind):
        return
    inside = pc.and_(pc.greater_equal(column, least), pc.less_equal(column, most))  # NaN is neither
    row = pc.index(pc.fill_null(inside, True), False).as_py()
    if row >= 0:
        raise ValueError(f"{source}, row {row + 1}: {name} {column[row].as_py()}; expected {least} to {most:,}")


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_null(value)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind)
