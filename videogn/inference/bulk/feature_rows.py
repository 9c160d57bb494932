"""Features of videos as rows that are kept as they come, and as a Parquet file."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from videogn.data.stored_paths import stored_path
from videogn.inference.bulk.rows import Row
from videogn.inference.features import VideoFeatures

#: Videos whose features are in memory together when the file is written: 5 MB of ten clips of 2,048 each.
_VIDEOS_AT_ONCE = 64


def feature_row_of(found: VideoFeatures) -> Row:
    """Return the row of a video: `path`, and either `times` and `features` (float32 in base64) of clips, or `error`."""
    path = stored_path(found.path)
    if found.features is None:
        return {"path": path, "error": found.error}
    data = base64.b64encode(np.ascontiguousarray(found.features, "<f4").tobytes()).decode("ascii")
    row: Row = {"path": path, "times": found.clip_times, "features": data}
    return row if found.truncated is None else row | {"truncated": found.truncated}


def write_features(rows: Iterable[Row], file: BinaryIO, *, size: int, per_video: bool) -> None:
    """Write a Parquet file with a row for each clip: path, start, end (seconds), features, error, truncated.

    Features are a list of fixed size, float32. A video that failed is one row, with its reason.

    Args:
        rows: Rows of `feature_row_of`.
        file: Binary file to write to.
        size: Number of features.
        per_video: Whether to write one row for each video, with the mean over its clips, in place of one for each clip.
    """
    schema = pa.schema(
        [
            *(("path", pa.string()), ("start", pa.float64()), ("end", pa.float64())),
            ("features", pa.list_(pa.float32(), size)),
            *(("error", pa.string()), ("truncated", pa.string())),
        ]
    )
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        rows = iter(rows)
        while some := list(itertools.islice(rows, _VIDEOS_AT_ONCE)):
            lines = [line for row in some for line in _lines(row, size, per_video)]
            writer.write_table(pa.table(dict(zip(schema.names, _columns(lines, size), strict=True)), schema))


def read_features(file: str | Path) -> dict[str, NDArray[np.float32]]:
    """Read a file of `write_features` with a row for each clip.

    Args:
        file: The file.

    Returns:
        Path, as `stored_path` has it -> features of its clips (clips, C); videos that failed are left out.
    """
    table = pq.read_table(file, columns=["path", "features"], filters=pc.field("error").is_null())
    features = table["features"].combine_chunks()
    values = np.asarray(features.flatten(), np.float32).reshape(-1, features.type.list_size)
    rows: dict[str, list[int]] = {}
    for row, path in enumerate(table["path"].to_pylist()):
        rows.setdefault(path, []).append(row)
    return {path: values[numbers] for path, numbers in rows.items()}


def _lines(row: Row, size: int, per_video: bool) -> Iterator[tuple[Any, ...]]:
    """The lines of a video: path, start, end, features, error, truncated."""
    if "error" in row:
        yield row["path"], None, None, None, row["error"], None
        return
    features: NDArray[np.float32] = np.frombuffer(base64.b64decode(row["features"]), "<f4").reshape(-1, size)
    times = row["times"]
    if per_video:
        features, times = features.mean(axis=0, keepdims=True), [(min(times)[0], max(end for _, end in times))]
    for (start, end), values in zip(times, features, strict=True):
        yield row["path"], start, end, values, None, row.get("truncated")


def _columns(lines: list[tuple[Any, ...]], size: int) -> Iterator[pa.Array]:
    paths, starts, ends, features, errors, truncated = (list(column) for column in zip(*lines, strict=True))
    yield pa.array(paths, pa.string())
    yield pa.array(starts, pa.float64())
    yield pa.array(ends, pa.float64())
    flat = np.concatenate([np.zeros(size, np.float32) if values is None else values for values in features])
    missing = pa.array([values is None for values in features])
    yield pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), size, mask=missing)
    yield pa.array(errors, pa.string())
    yield pa.array(truncated, pa.string())
