"""Hashes of the bytes of videos, which tell that two names stand for the same file."""

from __future__ import annotations

import hashlib
import itertools
import os
import stat
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pyarrow as pa

from videogn.data.stored_paths import opened_path
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import is_url, read_source

T = TypeVar("T", bound=Hashable)

#: Bytes at both ends of a file that are compared before a whole file is read.
_ENDS = 1 << 12
#: Threads that ask for sizes; a network file system answers many questions at once.
_ASKING = 16
_FILES_A_THREAD = 256


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


def with_contents(videos: pa.Table) -> pa.Table:
    """Return a table with its column `content` (see `videogn.data.records`) filled for files that have a twin.

    Args:
        videos: Rows with the columns path (absolute, as stored) and content.
    """
    stored = videos["path"].to_pylist()
    found = equal_files(map(opened_path, stored))
    hashes = [found.get(opened_path(path)) for path in stored]
    numbers = [None if text is None else int.from_bytes(bytes.fromhex(text)[:8], "big", signed=True) for text in hashes]
    return videos.set_column(videos.column_names.index("content"), "content", pa.array(numbers, pa.int64()))


def equal_files(paths: Iterable[str]) -> dict[str, str]:
    """Find files with the same bytes. Of most files only the size is asked; only those that seem equal are read.

    Args:
        paths: Paths for opening them. Those that are no local files are left out.

    Returns:
        Path -> SHA-256 in hexadecimal, for each file that has a twin.
    """
    different = list(dict.fromkeys(paths))
    parts = [different[first : first + _FILES_A_THREAD] for first in range(0, len(different), _FILES_A_THREAD)]
    with ThreadPoolExecutor(_ASKING) as pool:
        asked = itertools.chain.from_iterable(pool.map(_sizes, parts))
        sizes = _shared(dict(zip(different, asked, strict=True)))
    ends = _shared({path: _ends(path, size) for path, size in sizes.items()})
    return _shared({path: sha256_of(path) for path in ends})


def _shared(values: dict[str, T | None]) -> dict[str, T]:
    """The entries whose value another entry has too."""
    by_value: dict[T, list[str]] = defaultdict(list)
    for path, value in values.items():
        if value:
            by_value[value].append(path)
    return {path: value for value, paths in by_value.items() if len(paths) > 1 for path in paths}


def _sizes(paths: Sequence[str]) -> list[int | None]:
    return list(map(_size, paths))


def _size(path: str) -> int | None:
    """The size of a local file; None for anything else."""
    try:
        found = None if is_url(path) else os.stat(path)
    except (OSError, ValueError):  # a name with a null byte is a ValueError
        return None
    return found.st_size if found and stat.S_ISREG(found.st_mode) else None


def _ends(path: str, size: int) -> tuple[int, bytes, bytes] | None:
    try:
        with open(path, "rb") as file:
            first = file.read(_ENDS)
            file.seek(max(size - _ENDS, 0))
            return size, first, file.read(_ENDS)
    except OSError:
        return None
