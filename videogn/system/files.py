"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success rename it to `path`, on failure remove it.

    The temporary name ends in the same suffix, because encoders choose a container by it, and differs from that of any
    other writer. Missing parent folders are made.

    Args:
        path: the file to create or replace.

    Yields:
        The path to write to.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def displayable(path: str) -> str:
    """A path as valid Unicode: a file name that is not UTF-8 reaches Python as lone surrogates, which no file takes."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def write_text(path: str | Path, text: str) -> None:
    """Write `text` (UTF-8) to `path` by way of a temporary file."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write `value` as indented JSON to `path` by way of a temporary file; NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
