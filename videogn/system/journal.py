"""A file of JSON lines that grows by one line for each finished piece of work, so that a killed run can go on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any


class Journal:
    """Appends lines, each handed to the system at once: a kill loses at most the line being written.

    Args:
        path: the file; it is made where there is none, and appended to where there is one.

    Raises:
        OSError: it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "ab+", buffering=0)  # noqa: SIM115  closed by __exit__
        if self._file.tell():
            self._file.seek(-1, 2)
            if self._file.read(1) != b"\n":  # a killed run's last line: the next one must not continue it
                self._file.write(b"\n")

    def append(self, line: dict[str, Any]) -> None:
        """Write one line; names that are not valid Unicode are kept, as escapes."""
        self._file.write(json.dumps(line, allow_nan=False).encode("ascii") + b"\n")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._file.close()


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Read the lines that were written whole.

    Args:
        path: the file; it need not exist.

    Yields:
        The lines, oldest first.
    """
    if not path.exists():
        return
    with open(path, "rb") as file:
        for text in file:
            try:
                line = json.loads(text)
            except ValueError:
                continue  # half a line
            if isinstance(line, dict):
                yield line
