"""Journals: files of JSON lines, one for each finished piece of work, so that a killed run can be continued."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from videogn.system.destination import write_all
from videogn.system.room import naming


class Journal:
    """Appends lines to a file. Each is handed to the system at once: a kill loses at most the line being written.

    Args:
        path: File to append to; made if it does not exist.

    Raises:
        OSError: The file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with naming(path):
            self._file = open(path, "ab+", buffering=0)  # noqa: SIM115  closed by __exit__
            if self._file.tell():
                self._file.seek(-1, 2)
                if self._file.read(1) != b"\n":  # the last line of a killed run, which the next must not continue
                    self._file.write(b"\n")

    def append(self, line: dict[str, Any]) -> None:
        """Append a line. Strings that are not valid Unicode are kept, as escapes.

        Raises:
            OSError: It cannot be written. The lines before are kept.
        """
        with naming(self._path):
            write_all(self._file, json.dumps(line, allow_nan=False).encode("ascii") + b"\n")

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the complete lines of a journal, oldest first; none if the file does not exist."""
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
