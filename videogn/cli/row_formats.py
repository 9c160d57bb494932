"""What is found of videos as rows, and rows as text, tables and files."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

from rich.table import Table

from videogn.cli.plain_console import PlainConsole
from videogn.cli.prediction_table import table_of
from videogn.cli.score_output import Format
from videogn.cli.segment_table import segment_table
from videogn.inference.bulk.formats import TEXTS, json_array, json_lines, write_parquet
from videogn.inference.bulk.rows import Row, row_of
from videogn.inference.timelines.segment_rows import segment_lines, segment_row_of, write_segments


class RowFormats(NamedTuple):
    """The formats of one kind of rows.

    Attributes:
        row_of: What is found of a video -> its row.
        texts: Format -> function from rows, as they come, to pieces of text.
        table: Rows -> table for reading.
        parquet: Writes rows to an open file.
    """

    row_of: Callable[[Any], Row]
    texts: Mapping[str, Callable[[Iterable[Row]], Iterator[str]]]
    table: Callable[[Iterable[Row]], Table]
    parquet: Callable[[Iterable[Row], BinaryIO], None]

    def text(self, rows: Iterable[Row], form: Format) -> Iterator[str]:
        """Write rows as pieces of text; a table is one piece, since its widths depend on all rows."""
        if form == "table":
            text = io.StringIO()
            PlainConsole(file=text, width=120).print(self.table(rows))
            return iter([text.getvalue()])
        return self.texts[form](rows)

    def write(self, rows: Iterable[Row], form: Format, file: BinaryIO) -> None:
        """Write rows to an open file, in any format."""
        if form == "parquet":
            self.parquet(rows, file)
            return
        for piece in self.text(rows, form):
            file.write(piece.encode())


#: One row a video, with its best classes.
PREDICTIONS = RowFormats(row_of, TEXTS, table_of, write_parquet)
#: One row a video, with the segments of its timeline.
SEGMENTS = RowFormats(
    segment_row_of,
    {"json": json_array, "jsonl": json_lines, "csv": segment_lines},
    segment_table,
    write_segments,
)
