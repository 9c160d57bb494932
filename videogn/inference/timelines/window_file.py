"""Windows of one video as a Parquet file, written row group by row group."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from videogn.inference.timelines.window import Window
from videogn.system.files import replacing

#: Windows of a row group, which are held in memory: 0.8 MB of 400 classes.
_GROUP = 512
_CLASSES = b"class_names"


@contextmanager
def writing_windows(file: Path, path: str, class_names: Sequence[str]) -> Iterator[Callable[[Window], None]]:
    """Write a Parquet file with a row for each window: path, start and end (seconds), probabilities.

    Probabilities are a list of fixed size, float32, in the order of the class names, which are in the file's metadata
    under "class_names", as JSON. The file has its name when it is whole.

    Args:
        file: File to create or replace.
        path: Path of the video, as rows have it.
        class_names: Class names in the order of their numbers.

    Yields:
        Function that adds a window.
    """
    schema = pa.schema(
        [
            *(("path", pa.string()), ("start", pa.float64()), ("end", pa.float64())),
            ("probabilities", pa.list_(pa.float32(), len(class_names))),
        ],
        {_CLASSES: json.dumps(list(class_names)).encode()},
    )
    group: list[Window] = []

    def write() -> None:
        values = np.array([window.probabilities for window in group], np.float32).ravel()
        columns = [
            pa.array([path] * len(group), pa.string()),
            pa.array([window.start for window in group], pa.float64()),
            pa.array([window.end for window in group], pa.float64()),
            pa.FixedSizeListArray.from_arrays(pa.array(values), len(class_names)),
        ]
        writer.write_table(pa.table(columns, schema=schema))
        group.clear()

    def add(window: Window) -> None:
        group.append(window)
        if len(group) == _GROUP:
            write()

    with replacing(file) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        yield add
        if group:
            write()


def read_windows(file: str | os.PathLike[str]) -> tuple[list[str], Iterator[Window]]:
    """Read the windows of a video again, for instance to make other segments of them.

    Args:
        file: Parquet file that `videogn predict --windows` wrote.

    Returns:
        Class names, and an iterator over the windows, of which one row group is in memory at a time.

    Raises:
        ValueError: It is another file.
    """
    table = pq.ParquetFile(file)
    metadata = table.schema_arrow.metadata or {}
    if _CLASSES not in metadata:
        raise ValueError(f"{os.fspath(file)} holds no windows of `videogn predict --windows`")
    return json.loads(metadata[_CLASSES]), _windows(table)


def _windows(table: pq.ParquetFile) -> Iterator[Window]:
    with table:
        for batch in table.iter_batches(_GROUP, columns=["start", "end", "probabilities"]):
            starts, ends, probabilities = batch.columns
            rows = probabilities.flatten().to_numpy().reshape(len(batch), -1)
            yield from map(Window, starts.to_pylist(), ends.to_pylist(), rows)
