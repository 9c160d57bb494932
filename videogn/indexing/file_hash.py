"""Hashes of the bytes of videos, which tell that two names stand for the same file."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Hashable, Iterable
from typing import TypeVar

import pyarrow as pa

from videogn.data.stored_paths import opened_path
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import is_url, read_source

T = TypeVar("T", bound=Hashable)

#: Bytes at both ends of a file that are compared before a whole file is read.
_ENDS = 1 << 12


def sha256_of(path: str) -> str | None:
    """Hash a file, or a member of a local shard.

    Args:
        path: Path for opening it.

    Returns:
        SHA-256 in hexadecimal; None for an object in a store, which would be fetched once more, for a folder, and for
        what cannot be read.
    """
    try:
        if is_url(path) or os.path.isdir(path):
            return None
        if os.path.isfile(path):
            with open(path, "rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        source = read_source(path)
        return hashlib.sha256(source).hexdigest() if isinstance(source, bytes) else None
    except (OSError, VideoDecodeError):
        return None


def contents_of(paths: pa.ChunkedArray) -> pa.Array:
    """Return the column `content` of `videogn.data.records` for files that no index has hashed; see `equal_files`.

    Args:
        paths: Absolute paths, as stored.
    """
    stored = paths.to_pylist()
    found = equal_files(map(opened_path, stored))
    hashes = [found.get(opened_path(path)) for path in stored]
    numbers = [None if text is None else int.from_bytes(bytes.fromhex(text)[:8], "big", signed=True) for text in hashes]
    return pa.array(numbers, pa.int64())


def equal_files(paths: Iterable[str]) -> dict[str, str]:
    """Find files with the same bytes. Of most files only the size is asked; only those that seem equal are read.

    Args:
        paths: Paths for opening them. Those that are no local files are left out.

    Returns:
        Path -> SHA-256 in hexadecimal, for each file that has a twin.
    """
    sizes = _shared({path: _size(path) for path in dict.fromkeys(paths)})
    ends = _shared({path: _ends(path, size) for path, size in sizes.items()})
    return _shared({path: sha256_of(path) for path in ends})


def _shared(values: dict[str, T | None]) -> dict[str, T]:
    """The entries whose value another entry has too."""
    by_value: dict[T, list[str]] = defaultdict(list)
    for path, value in values.items():
        if value:
            by_value[value].append(path)
    return {path: value for value, paths in by_value.items() if len(paths) > 1 for path in paths}


def _size(path: str) -> int | None:
    try:
        return None if is_url(path) or os.path.isdir(path) else os.stat(path).st_size
    except OSError:
        return None


def _ends(path: str, size: int) -> tuple[int, bytes, bytes] | None:
    try:
        with open(path, "rb") as file:
            first = file.read(_ENDS)
            file.seek(max(size - _ENDS, 0))
            return size, first, file.read(_ENDS)
    except OSError:
        return None
