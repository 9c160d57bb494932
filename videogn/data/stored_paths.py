"""Paths as text for Arrow, Parquet and JSON.

A file name need not be valid Unicode. Python then uses lone surrogates, which these formats refuse. Such a path is
stored as a file URL with its bytes percent-encoded; every other path is stored as it is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from urllib.parse import quote_from_bytes, unquote_to_bytes

import pyarrow as pa

_SCHEME = "file://"


def stored_path(path: str) -> str:
    """Return the text to store for an absolute path. `opened_path` reverses it."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return _SCHEME + quote_from_bytes(os.fsencode(path))
    return path


def opened_path(text: str) -> str:
    """Return the path that `stored_path` stored as `text`, for opening the file."""
    return os.fsdecode(unquote_to_bytes(text.removeprefix(_SCHEME))) if text.startswith(_SCHEME) else text


def path_array(paths: Sequence[str]) -> pa.Array:
    """Return the string array of `stored_path` of each path.

    Args:
        paths: Absolute paths.
    """
    try:
        return pa.array(paths, pa.string())
    except UnicodeEncodeError:
        return pa.array(list(map(stored_path, paths)), pa.string())
