"""Files that are written whole or not at all."""

from __future__ import annotations

import glob
import json
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`. On success it is renamed to `path`, on failure it is removed.

    The temporary name has the same suffix, because encoders choose a container by it, and is different for every
    writer. Missing parent folders are made.

    Args:
        path: File to create or replace.

    Yields:
        Path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(_temporary(path.name, secrets.token_hex(4)))
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_together(path: str | Path) -> Iterator[Path]:
    """Yield a path of the same name in a temporary folder beside `path`, for a file that has companions.

    On success everything in the folder is renamed to the folder of `path`, `path` last; on failure it is removed.

    Args:
        path: File to create or replace.

    Yields:
        Path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.stem}.", suffix=".partial", dir=path.parent) as folder:
        yield Path(folder, path.name)
        for made in sorted(Path(folder).iterdir(), key=lambda made: made.name == path.name):
            os.replace(made, path.with_name(made.name))


def remove_unfinished(folder: Path, names: Iterable[str]) -> None:
    """Remove the temporary files that killed writers of some files left behind.

    Args:
        folder: Folder of the files; it need not exist.
        names: Names of the files, of which nobody else may be writing one.
    """
    for name in names:
        for left in folder.glob(_temporary(glob.escape(name), "?" * 8)):
            left.unlink(missing_ok=True)


def _temporary(name: str, token: str) -> str:
    return f".{Path(name).stem}.{token}.partial{Path(name).suffix}"


def write_text(path: str | Path, text: str) -> None:
    """Write text to a file, in UTF-8 and by way of a temporary file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write a value to a file as indented JSON, by way of a temporary file; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
