"""The rows of one output file while they come, so that no run has to be done again.

They lie in a folder beside the output:

    scores.csv.parts/run.json            what the rows are scores of: network, protocol and so on
    scores.csv.parts/part-000000.jsonl   256 rows, as JSON lines
    scores.csv.parts/part-000001.jsonl   ...
    scores.csv.parts/unfinished.jsonl    the next part; a kill loses at most the line that is being written

A part gets its name when it is complete and on the disk. A row says the size and the time of change of its file when it
was scored; a later row of the same path takes the place of an earlier one.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import operator
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from videogn.checks import read_json, reading
from videogn.inference.bulk.rows import Row
from videogn.system.destination import write_all
from videogn.system.displayable import displayable
from videogn.system.exclusive import only_writer
from videogn.system.files import make_folder, write_json
from videogn.system.partial_files import remove_left_behind
from videogn.system.room import why

#: Rows of a part.
PART_ROWS = 256
_RUN, _LOCK, _UNFINISHED = "run.json", ".lock", "unfinished.jsonl"
_PART, _PARTS = "part-{:06d}.jsonl", "part-*.jsonl"
#: Characters of a value that messages show, of a hash for instance.
_SHOWN = 20
_BLOCK = 1 << 16
#: What is known of each path: where its row lies (part and first byte), and at which place of this run's inputs it is;
#: null for none. A path is 8 bytes of a hash: of a million, two are taken for one with a probability of 3e-8.
_TABLE = """CREATE TABLE rows (
    key INTEGER PRIMARY KEY, bytes INTEGER, changed INTEGER, failed INTEGER, part INTEGER, start INTEGER, place INTEGER
)"""
_EXPECTED = "place IS NOT NULL AND part IS NOT NULL"
_KEEP = """INSERT INTO rows (key, bytes, changed, failed, part, start) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key)
DO UPDATE SET bytes = excluded.bytes, changed = excluded.changed, failed = excluded.failed, part = excluded.part,
start = excluded.start"""


class FileState(NamedTuple):
    """Size and time of change of a file when it was looked at; None if there is no such file."""

    bytes: int | None
    changed: int | None


class Known(NamedTuple):
    """What is known of an input before it is scored.

    Attributes:
        state: State of the file when it was scored.
        failed: Whether it failed then; None if it was never scored.
        listed: Whether it was among the inputs of this run already.
    """

    state: FileState
    failed: bool | None
    listed: bool


class Parts:
    """The rows scored so far for an output, one a path. About 50 bytes of each are held in memory.

    Args:
        folder: Folder of the parts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._table = sqlite3.connect(":memory:")
        self._table.execute(_TABLE)
        self._parts = 0
        self._rows = 0
        while (path := self._path(self._parts)).exists():
            self._read(self._parts, path)
            self._parts += 1
        self._open()

    def known(self, path: str) -> Known:
        """Return what is known of a path, as rows have it."""
        found = self._table.execute("SELECT bytes, changed, failed, place FROM rows WHERE key = ?", (_key(path),))
        size, changed, failed, place = found.fetchone() or (None, None, None, None)
        return Known(FileState(size, changed), None if failed is None else bool(failed), place is not None)

    def expect(self, path: str, place: int) -> None:
        """Note that a path is among the inputs of this run.

        Args:
            path: Path as rows have it.
            place: Place among the inputs, by which the output is sorted.
        """
        text = "INSERT INTO rows (key, place) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET place = excluded.place"
        self._table.execute(text, (_key(path), place))

    def add(self, row: Row, state: FileState) -> None:
        """Keep a row, in place of an earlier one of its path. It is handed to the system at once.

        Raises:
            OSError: It cannot be written. The rows before are kept.
        """
        kept = row | state._asdict()
        line = json.dumps(kept).encode("ascii") + b"\n"
        with self._writing():
            start = self._file.seek(0, os.SEEK_END)
            write_all(self._file, line)
        self._table.execute(_KEEP, _known(kept, self._parts, start))
        self._rows += 1
        if self._rows == PART_ROWS:
            self._seal()

    def rows(self) -> Iterator[Row]:
        """Read the rows of this run's inputs, in the order of the inputs."""
        order = self._table.execute(f"SELECT part, start FROM rows WHERE {_EXPECTED} ORDER BY place")
        for part, places in itertools.groupby(order, operator.itemgetter(0)):
            with (self._path(part) if part < self._parts else self.folder / _UNFINISHED).open("rb") as file:
                for _, start in places:
                    file.seek(start)
                    row = json.loads(file.readline())
                    yield {name: value for name, value in row.items() if name not in FileState._fields}

    def counts(self) -> tuple[int, int]:
        """Return the number of this run's inputs that have a row, and of those that failed."""
        text = f"SELECT count(*), coalesce(sum(failed), 0) FROM rows WHERE {_EXPECTED}"
        done, failed = self._table.execute(text).fetchone()
        return done, failed

    def close(self) -> None:
        """Close the files. What was added is kept."""
        self._file.close()
        self._table.close()

    def _path(self, number: int) -> Path:
        return self.folder / _PART.format(number)

    def _open(self) -> None:
        """Go on with the unfinished part, without the half line that a killed run left."""
        with self._writing():
            unfinished = self.folder / _UNFINISHED
            self._file: BinaryIO = unfinished.open("ab+", buffering=0)
            self._file.truncate(_end_of_lines(self._file))
            self._rows = self._read(self._parts, unfinished)
            if self._rows >= PART_ROWS:
                self._seal()

    def _seal(self) -> None:
        """Make the unfinished part a part, and begin the next."""
        with self._writing():
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self.folder / _UNFINISHED, self._path(self._parts))
            self._parts += 1
            self._rows = 0
            self._file = (self.folder / _UNFINISHED).open("ab+", buffering=0)

    def _read(self, number: int, path: Path) -> int:
        """Note the rows of a part; return how many lines it has."""
        rows: list[tuple[Any, ...]] = []
        start = lines = 0
        with path.open("rb") as file:
            for line in file:
                # Damaged with its disk: such a row is scored again.
                with suppress(ValueError, LookupError, TypeError, AttributeError):
                    rows.append(_known(json.loads(line), number, start))
                start += len(line)
                lines += 1
        self._table.executemany(_KEEP, rows)
        return lines

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OSError(
                f"{displayable(str(self.folder))} cannot be written ({why(error, self.folder)}): every row before is "
                "kept there, and the same command goes on once that is mended"
            ) from error


@contextmanager
def opened_parts(output: Path, identity: Mapping[str, Any], *, overwrite: bool = False) -> Iterator[Parts]:
    """Open the parts of an output for this process alone.

    Args:
        output: The file.
        identity: What the rows are scores of: flat, of plain values.
        overwrite: Whether to begin anew, without the rows that there are. Default: False.

    Yields:
        The parts.

    Raises:
        ValueError: The rows that there are, are scores of something else; or another process is writing the output.
        OSError: The folder cannot be written.
    """
    folder = parts_folder(output)
    make_folder(folder)
    with only_writer(output, folder / _LOCK):
        remove_left_behind(folder / _RUN)
        remove_left_behind(output)
        if overwrite:
            for path in [*folder.glob(_PARTS), folder / _UNFINISHED, folder / _RUN]:
                path.unlink(missing_ok=True)
        if (folder / _RUN).exists():
            with reading(folder / _RUN):
                before = dict(read_json((folder / _RUN).read_bytes(), folder / _RUN))
            _check_same(before, dict(identity), output)
        else:
            write_json(folder / _RUN, identity)
        with closing(Parts(folder)) as parts:
            yield parts


def parts_folder(output: Path) -> Path:
    """Return the folder of the parts of an output."""
    return output.with_name(f"{output.name}.parts")


def _check_same(before: dict[str, Any], now: dict[str, Any], output: Path) -> None:
    changed = [
        f"{name} {_short(before.get(name))}, now {_short(now.get(name))}"
        for name in before | now  # a setting that only one has, as that of a timeline, is none in the other
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise ValueError(
            f"{displayable(str(output))} was begun with {'; '.join(changed)}: name another --output, or begin anew "
            "with --overwrite"
        )


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _end_of_lines(file: BinaryIO) -> int:
    """Position after the last newline of a file, or 0."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(end - _BLOCK, 0)
        file.seek(start)
        if (found := file.read(end - start).rfind(b"\n")) >= 0:
            return start + found + 1
        end = start
    return 0


def _known(row: Row, part: int, start: int) -> tuple[Any, ...]:
    """What the table holds of a row."""
    return _key(row["path"]), row["bytes"], row["changed"], "error" in row, part, start


def _key(path: str) -> int:
    return int.from_bytes(hashlib.blake2b(path.encode(), digest_size=8).digest(), "big", signed=True)
