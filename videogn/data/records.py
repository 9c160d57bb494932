"""The videos of an index as Arrow columns: a million of them cost a loader's worker nothing.

A tuple of Python objects is copied into every worker: pickled if workers are spawned, and page by page if they are
forked, because reading an object writes its reference count. Arrow's buffers hold no objects. Forked workers share
them; for spawned workers the table is written once to a file that all of them map.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from videogn.axes import Segment, VideoRecord
from videogn.data.stored_paths import opened_path, path_array
from videogn.system.temporary_file import TemporaryFile
from videogn.video.storage import CheckedFile, MemberPath

#: `large_string`, because all paths together may exceed the 2 GiB that `string` can address. They are written as in
#: `stored_paths`. `start` and `length` are the place of a member in its shard, in bytes. A segment has either times, in
#: seconds, or frame indices. `checked_bytes` and `mtime_ns` are the state of a file in which an index found every frame
#: to decode, and `survey` is what its packets told. `content` is the beginning of a hash of the file, where an index
#: has one; it serves to compare videos, and is no part of a VideoRecord. `labels` is null where a video has one label.
SCHEMA = pa.schema(
    [
        ("path", pa.large_string()),
        ("label", pa.int32()),
        ("frames", pa.int64()),
        ("error", pa.large_string()),
        ("start", pa.int64()),
        ("length", pa.int64()),
        ("content", pa.int64()),
        ("checked_bytes", pa.int64()),
        ("mtime_ns", pa.int64()),
        ("survey", pa.large_string()),
        ("labels", pa.list_(pa.int32())),
        ("start_time", pa.float64()),
        ("end_time", pa.float64()),
        ("start_frame", pa.int64()),
        ("end_frame", pa.int64()),
    ]
)
#: Number of rows that iteration turns into Python objects at a time.
_ROWS_AT_ONCE = 4096


class Records(Sequence[VideoRecord]):
    """Sequence of videos, held as one contiguous Arrow array per column.

    Pickling writes the table to a file, once, and passes on its name; unpickling maps the file. The file lasts as long
    as these records in the process that wrote it. If that process is killed, the next such file replaces it.

    Args:
        table: Table with the column "path" (as `stored_path` writes it) and any others of `SCHEMA`. Further columns are
            dropped.
    """

    def __init__(self, table: pa.Table) -> None:
        self._columns = [_column(table, field) for field in SCHEMA]
        self._file: str | None = None
        self._owner: TemporaryFile | None = None

    @classmethod
    def of(cls, records: Iterable[VideoRecord]) -> Records:
        """Make records from any VideoRecords. Records are returned as they are."""
        if isinstance(records, Records):
            return records
        rows = list(records)
        return cls.of_columns(
            [row.path for row in rows],
            [row.label for row in rows],
            [row.frames for row in rows],
            [row.error for row in rows],
            [row.segment for row in rows],
            [row.labels for row in rows],
        )

    @classmethod
    def of_columns(
        cls,
        paths: Sequence[str],
        labels: Sequence[int | None],
        frames: Sequence[int | None] | None = None,
        errors: Sequence[str | None] | None = None,
        segments: Sequence[Segment | None] | None = None,
        label_sets: Sequence[Sequence[int] | None] | None = None,
    ) -> Records:
        """Make records from one sequence for each attribute of VideoRecord, without an object for each video."""
        columns: dict[str, Any] = {"path": path_array(paths), "label": pa.array(labels, pa.int32())}
        if any(isinstance(path, MemberPath) for path in paths):
            places = [(path.start, path.length) if isinstance(path, MemberPath) else (None, None) for path in paths]
            columns |= zip(("start", "length"), map(pa.array, zip(*places, strict=True)), strict=True)
        if any(isinstance(path, CheckedFile) for path in paths):
            states = [(p.size, p.changed, p.survey) if isinstance(p, CheckedFile) else (None,) * 3 for p in paths]
            names = ("checked_bytes", "mtime_ns", "survey")
            columns |= zip(names, map(pa.array, zip(*states, strict=True)), strict=True)
        if frames is not None:
            columns["frames"] = pa.array(frames, pa.int64())
        if errors is not None:
            columns["error"] = pa.array(errors, pa.large_string())
        if segments is not None:
            columns |= _segment_columns(segments)
        if label_sets is not None:
            columns["labels"] = pa.array(label_sets, SCHEMA.field("labels").type)
        return cls(pa.table(columns))

    @classmethod
    def map(cls, file: str) -> Records:
        """Map the Arrow IPC file that `mapped` wrote. Rows are read on access."""
        with pa.memory_map(file) as source:
            records = cls(pa.ipc.open_file(source).read_all())
        records._file = file
        return records

    def mapped(self) -> Records:
        """Return the same records, mapped from a temporary file and not held in memory."""
        records = Records.map(self._written())
        # The file lasts as long as the object that wrote it; the arrays alone do not keep that one alive.
        records._owner = self._owner
        return records

    @property
    def table(self) -> pa.Table:
        """The columns of `SCHEMA`; each is one chunk."""
        return pa.table(self._columns, names=SCHEMA.names)

    def take(self, rows: Any) -> Records:
        """Choose rows.

        Args:
            rows: Row numbers in any order, or a truth value for each row: a sequence, or a NumPy or Arrow array.

        Returns:
            The chosen records.
        """
        chosen = rows if isinstance(rows, pa.Array) else pa.array(np.asarray(rows))
        if not pa.types.is_boolean(chosen.type):
            return Records(self.table.take(chosen.cast(pa.int64())))
        return self if pc.all(chosen).as_py() else Records(self.table.filter(chosen))

    def __len__(self) -> int:
        return len(self._columns[0])

    @overload
    def __getitem__(self, number: int) -> VideoRecord: ...

    @overload
    def __getitem__(self, number: slice) -> Records: ...

    def __getitem__(self, number: int | slice) -> VideoRecord | Records:
        if isinstance(number, slice):
            return self.take(np.arange(len(self))[number])
        row = operator.index(number)
        row += len(self) if row < 0 else 0
        if not 0 <= row < len(self):
            raise IndexError(f"record {number} of {len(self)}")
        return _record(*(column[row].as_py() for column in self._columns))

    def __iter__(self) -> Iterator[VideoRecord]:
        for first in range(0, len(self), _ROWS_AT_ONCE):
            columns = [column.slice(first, _ROWS_AT_ONCE).to_pylist() for column in self._columns]
            yield from map(_record, *columns)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Records):
            return self.table.equals(other.table)
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(operator.eq, self, other))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Records of {len(self)} videos"

    def __deepcopy__(self, memo: dict[int, Any]) -> Records:
        return self  # nothing changes it

    def __reduce__(self) -> tuple[Any, ...]:
        return Records.map, (self._written(),)

    def _written(self) -> str:
        if self._file is None:
            self._owner = TemporaryFile(partial(_write, self.table))
            self._file = self._owner.path
        return self._file


def _write(table: pa.Table, path: str) -> None:
    with pa.OSFile(path, "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=max(len(table), 1))  # one chunk: rows are found by their number


def _record(
    path: str,
    label: int | None,
    frames: int | None,
    error: str | None,
    start: int | None,
    length: int | None,
    content: int | None,
    checked_bytes: int | None,
    mtime_ns: int | None,
    survey: str | None,
    labels: Sequence[int] | None,
    start_time: float | None,
    end_time: float | None,
    start_frame: int | None,
    end_frame: int | None,
) -> VideoRecord:
    path = opened_path(path)
    if start is not None and length is not None:
        path = MemberPath(path, start, length)
    elif checked_bytes is not None and mtime_ns is not None:
        path = CheckedFile(path, checked_bytes, mtime_ns, survey)
    segment = segment_of(start_time, end_time, start_frame, end_frame)
    return VideoRecord(path, label, frames, error, segment, None if labels is None else tuple(labels))


def segment_of(
    start_time: float | None, end_time: float | None, start_frame: int | None, end_frame: int | None
) -> Segment | None:
    """Return the segment of a row, in seconds or frames, or None if the row is a whole video."""
    if start_time is not None and end_time is not None:
        return Segment(start_time, end_time)
    if start_frame is not None and end_frame is not None:
        return Segment(start_frame, end_frame, "frames")
    return None


def _segment_columns(segments: Sequence[Segment | None]) -> dict[str, pa.Array]:
    """The four columns of segments; each has values in the rows of its unit."""
    columns = {}
    for unit, name, kind in (("seconds", "time", pa.float64()), ("frames", "frame", pa.int64())):
        chosen = [each if each is not None and each.unit == unit else (None, None) for each in segments]
        columns[f"start_{name}"] = pa.array([each[0] for each in chosen], kind)
        columns[f"end_{name}"] = pa.array([each[1] for each in chosen], kind)
    return columns


def _column(table: pa.Table, field: pa.Field) -> pa.Array:
    if field.name not in table.column_names:
        return pa.nulls(len(table), field.type)
    column = table.column(field.name).cast(field.type)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays([*column.chunks, pa.array([], column.type)])
