"""Segments of videos as rows that are kept as they come, and as files."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from videogn.data.stored_paths import stored_path
from videogn.inference.bulk.rows import Row
from videogn.inference.timelines.segmenting import VideoSegments
from videogn.system.spreadsheet_text import csv_writer, for_spreadsheet

#: Videos whose segments go into a Parquet file together.
_VIDEOS_AT_ONCE = 256
_COLUMNS = ("path", "start", "end", "label", "score", "error", "truncated")


def segment_row_of(found: VideoSegments) -> Row:
    """Return the row of a video: `path`, and either `segments` or `error`; `truncated` if its end was not scored.

    Segments are {"start", "end", "label", "score"} in the order of time; times are seconds, to the millisecond.
    """
    path = stored_path(found.path)
    if found.error is not None:
        return {"path": path, "error": found.error}
    segments = [
        {"start": round(each.start, 3), "end": round(each.end, 3), "label": each.label, "score": each.score}
        for each in found.segments
    ]
    row: Row = {"path": path, "segments": segments}
    return row if found.truncated is None else row | {"truncated": found.truncated}


def segment_lines(rows: Iterable[Row]) -> Iterator[str]:
    """CSV: one line a segment; one for a video that failed, and for one without a segment. Names as in predictions."""
    text = io.StringIO()
    lines = csv_writer(text)
    lines.writerow(_COLUMNS)
    for row in rows:
        for line in _lines(row):
            score = "" if line["score"] is None else f"{line['score']:.6g}"
            cells = ("" if value is None else value for value in (line | {"score": score}).values())
            lines.writerow(for_spreadsheet(cell) if isinstance(cell, str) else cell for cell in cells)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def write_segments(rows: Iterable[Row], file: BinaryIO) -> None:
    """Write a Parquet file with the lines and columns of `segment_lines`.

    Args:
        rows: Rows of `segment_row_of`.
        file: Binary file to write to.
    """
    import pyarrow as pa  # only for this format
    import pyarrow.parquet as pq

    kinds = {"start": pa.float64(), "end": pa.float64(), "score": pa.float32()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        rows = iter(rows)
        while some := list(itertools.islice(rows, _VIDEOS_AT_ONCE)):
            lines = [line for row in some for line in _lines(row)]
            writer.write_table(pa.Table.from_pylist(lines, schema))


def _lines(row: Row) -> Iterator[dict[str, Any]]:
    whole = dict.fromkeys(_COLUMNS) | {name: row[name] for name in ("path", "error", "truncated") if name in row}
    for segment in row.get("segments") or [{}]:
        yield whole | segment
