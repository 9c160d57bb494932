"""The Parquet index: one row for each listed video with the result of checking its file, and a summary of all rows.

A new column is a field of `FOUND`; its values come from the field of that name in `IntegrityReport` (`note` from its
`notes`). In an older index it is null.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from videogn.checks import existing_path
from videogn.data.index_values import read_facts
from videogn.data.parquet_index import METADATA_KEY, VERSION, usable
from videogn.system.files import replacing

#: Statuses of videos; `parquet_index.usable` says which are used.
STATUSES = ("ok", "short", "slow", "truncated", "corrupt", "empty", "missing")
#: Columns from the listing: `start` is the position of a member in its shard, in bytes; the part of the video that is
#: the example has times in seconds, or frame indices; of a video that may show several classes, `labels` has them all
#: and `label` is null.
LISTED = pa.schema(
    [
        ("path", pa.string()),
        ("label", pa.string()),
        ("split", pa.string()),
        ("start", pa.int64()),
        ("start_time", pa.float64()),
        ("end_time", pa.float64()),
        ("start_frame", pa.int64()),
        ("end_frame", pa.int64()),
        ("labels", pa.list_(pa.string())),
    ]
)
#: Those that stand first.
NAMING = ("path", "label", "split")
#: Columns from the check of the file, the time of its last change, the hash of its bytes, in hexadecimal, and what its
#: packets told.
FOUND = pa.schema(
    [
        ("frames", pa.int64()),
        ("fps", pa.float64()),
        ("duration", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("rotation", pa.int32()),
        ("codec", pa.string()),
        ("bytes", pa.int64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("note", pa.string()),
        ("mtime_ns", pa.int64()),
        ("sha256", pa.string()),
        ("survey", pa.string()),
    ]
)
COLUMNS = pa.schema([*map(LISTED.field, NAMING), *FOUND, *(field for field in LISTED if field.name not in NAMING)])
#: Columns without which a file is no index.
_REQUIRED = ("path", "status")


@dataclass(frozen=True)
class Facts:
    """Facts of a whole index.

    Attributes:
        root: Folder that relative paths refer to.
        classes: Class names in the order of their numbers.
        source: Source that was indexed.
        searched: Folder whose unlisted videos are counted; None if there is none (a single video).
        decode: Whether all frames were decoded; otherwise only packets were read.
        timeout: Time limit for one small file, in seconds.
        min_frames: Least number of frames; a video with fewer is "short".
        unlisted: `names_hash` of the videos in `searched` that no row lists; None if `searched` is None.
        summary: Counts of the rows; see `summarise`.
    """

    root: str
    classes: tuple[str, ...]
    source: str
    searched: str | None
    decode: bool
    timeout: float
    min_frames: int
    unlisted: str | None
    summary: dict[str, Any]


@dataclass(frozen=True)
class Catalogue:
    """An index in memory.

    Attributes:
        table: Rows with the columns `COLUMNS`; paths as `videogn.data.stored_paths` stores them.
        facts: Facts of all rows.
    """

    table: pa.Table
    facts: Facts


def write_catalogue(path: Path, catalogue: Catalogue) -> None:
    """Write an index under a temporary name and rename it.

    Raises:
        OSError: If it cannot be written.
    """
    facts = json.dumps({"version": VERSION, **asdict(catalogue.facts)})
    table = catalogue.table.select(COLUMNS.names).cast(COLUMNS).replace_schema_metadata({METADATA_KEY: facts})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", row_group_size=1 << 17)


def read_catalogue(path: str | Path) -> Catalogue:
    """Read an index that `write_catalogue` wrote. Columns and facts that an older version did not write are null.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is something else.
    """
    path = existing_path(path)
    try:
        table = pq.read_table(path, partitioning=None)
        facts = read_facts(table.schema.metadata[METADATA_KEY], path)
        if facts.pop("version") != VERSION:
            raise ValueError(f"{path} was written by another version of videogn; run `videogn data index` again")
        # What a later version adds is ignored; what an earlier version lacks is null.
        known: dict[str, Any] = {name: facts.get(name) for name in Facts.__dataclass_fields__}
        known["classes"] = tuple(facts["classes"])
        for column in COLUMNS:
            if column.name not in (*_REQUIRED, *table.column_names):
                table = table.append_column(column, pa.nulls(table.num_rows, column.type))
        return Catalogue(table.select(COLUMNS.names).cast(COLUMNS), Facts(**known))
    except (pa.ArrowException, KeyError, TypeError, IsADirectoryError) as error:
        raise ValueError(f"{path} is not an index that `videogn data index` wrote") from error
    except OSError as error:  # Arrow's too, of pages that are damaged, in several lines
        raise ValueError(f"{path} cannot be read as an index ({str(error).splitlines()[0].rstrip('.')})") from error


def files_of(table: pa.Table) -> pa.Table:
    """Return the first row of each file: a video has a row for each part of it that is listed."""
    return table.take(pc.index_in(table["path"].unique(), value_set=table["path"]))


def late_parts(table: pa.Table) -> pa.Table:
    """Return the rows whose part begins at or after the end of a usable video: no frame lies in it."""
    late = pc.or_(
        pc.fill_null(pc.greater_equal(table["start_time"], table["duration"]), False),
        pc.fill_null(pc.greater_equal(table["start_frame"], table["frames"]), False),
    )
    return table.filter(pc.and_(usable(table), late))


def summarise(table: pa.Table, classes: Sequence[str], unlisted: int) -> dict[str, Any]:
    """Count the rows of an index.

    Args:
        table: Rows with the columns label, split and status.
        classes: All class names; those without videos are counted too.
        unlisted: Number of videos on disk that no row lists.

    Returns:
        {"videos": n, "unlisted": n, "status": {status: n}, "classes": {name: {status: n}}, "splits": {split: {status:
        n}}}. "status" has every status, the others only those that occur.
    """
    status = dict.fromkeys(STATUSES, 0) | {key: sum(of.values()) for key, of in _counts(table, "status").items()}
    by_class: dict[str, dict[str, int]] = {name: {} for name in classes} | _counts(_by_label(table), "label")
    return {
        "videos": table.num_rows,
        "unlisted": unlisted,
        "status": status,
        "classes": by_class,
        "splits": _counts(table, "split"),
    }


def _by_label(table: pa.Table) -> pa.Table:
    """Label and status, with a row for each label where a video may have several."""
    if "labels" not in table.column_names or table["labels"].null_count == len(table):
        return table.select(["label", "status"])
    sets = table["labels"].combine_chunks()
    status = table["status"].take(pc.list_parent_indices(sets))
    return pa.table({"label": pc.list_flatten(sets), "status": status})


def _counts(table: pa.Table, column: str) -> dict[str, dict[str, int]]:
    """Value of a column -> status -> number of rows; rows without a value are left out."""
    keys = list(dict.fromkeys([column, "status"]))
    groups = table.select(keys).filter(pc.is_valid(table[column])).group_by(keys).aggregate([([], "count_all")])
    counts: dict[str, dict[str, int]] = {}
    for row in groups.sort_by([(key, "ascending") for key in keys]).to_pylist():
        counts.setdefault(row[column], {})[row["status"]] = row["count_all"]
    return counts
