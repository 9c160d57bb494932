"""Rows -> files and text: formats by name, and the suffixes that stand for them."""

from __future__ import annotations

import io
import itertools
import json
import textwrap
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from videogn.inference.bulk.label_formats import fiftyone_labels, label_studio_tasks
from videogn.inference.bulk.rows import Row
from videogn.system.spreadsheet_text import csv_writer, for_spreadsheet

#: Rows that go into a Parquet file together.
_ROWS_AT_ONCE = 4096


def json_lines(rows: Iterable[Row]) -> Iterator[str]:
    """One JSON object a line: `path`, and `predictions` or `error`."""
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def json_array(rows: Iterable[Row]) -> Iterator[str]:
    """One JSON array of the same objects."""
    before = "[\n"
    for row in rows:
        yield before + textwrap.indent(json.dumps(row, indent=2, ensure_ascii=False), "  ")
        before = ",\n"
    yield "\n]\n" if before == ",\n" else "[]\n"


def csv_lines(rows: Iterable[Row]) -> Iterator[str]:
    """One line for each class that is named of a video, with its rank; one for a video that failed.

    A name that a spreadsheet would take for a formula begins with an apostrophe (`for_spreadsheet`).
    """
    text = io.StringIO()
    lines = csv_writer(text)
    lines.writerow(["path", "rank", "label", "score", "error", "truncated", "clips"])
    for row in rows:
        path = for_spreadsheet(row["path"])
        if "error" in row:
            lines.writerow([path, "", "", "", for_spreadsheet(row["error"]), "", ""])
        for rank, named in enumerate(row.get("predictions", ()), 1):
            more = [for_spreadsheet(row.get("truncated", "")), row.get("clips", "")]
            lines.writerow([path, rank, for_spreadsheet(named["label"]), f"{named['score']:.6g}", "", *more])
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def write_parquet(rows: Iterable[Row], file: BinaryIO) -> None:
    """Write a Parquet file with the columns path, predictions (a list of label and score), error, truncated and clips.

    Args:
        rows: Rows.
        file: Binary file to write to.
    """
    import pyarrow as pa  # only for this format
    import pyarrow.parquet as pq

    named = pa.struct([("label", pa.string()), ("score", pa.float32())])
    texts = [(name, pa.string()) for name in ("path", "error", "truncated")]
    schema = pa.schema([texts[0], ("predictions", pa.list_(named)), *texts[1:], ("clips", pa.int64())])
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        rows = iter(rows)
        while some := list(itertools.islice(rows, _ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(some, schema))


#: Formats of text, which can be printed: rows as they come -> pieces of text, so that a million are never held.
TEXTS: dict[str, Callable[[Iterable[Row]], Iterator[str]]] = {
    "json": json_array,
    "jsonl": json_lines,
    "csv": csv_lines,
    "fiftyone": fiftyone_labels,
    "labelstudio": label_studio_tasks,
}
