"""What the system says of files, without opening one: size, time of change, and whether they can be videos at all."""

from __future__ import annotations

import itertools
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from videogn.data.stored_paths import opened_path
from videogn.video.errors import MissingVideoError, VideoDecodeError, explain
from videogn.video.storage import state

#: Threads that ask; a network file system answers many questions at once.
_ASKING = 16
_ROWS_AT_ONCE = 1 << 14
_ROWS_A_THREAD = 256

#: (bytes, time of change, status, reason), as in `FileStates`.
FileState = tuple[int, int, str | None, str | None]


class FileStates(NamedTuple):
    """What the system says of many files, without opening one.

    Attributes:
        bytes: int64, -1 where unknown.
        mtime_ns: int64, when each was last changed, or of an object what `state` has in its place; -1 where unknown.
        status: "missing", "empty" or "corrupt" where that much says enough, else None.
        reason: of the status.
    """

    bytes: np.ndarray
    mtime_ns: np.ndarray
    status: list[str | None]
    reason: list[str | None]


def file_states(paths: pa.ChunkedArray) -> FileStates:
    """Ask the system for every file's size and time of change.

    Args:
        paths: as stored.

    Returns:
        One entry for each path.
    """
    states = FileStates(np.full(len(paths), -1, np.int64), np.full(len(paths), -1, np.int64), [], [])
    with ThreadPoolExecutor(_ASKING) as pool:
        for first in range(0, len(paths), _ROWS_AT_ONCE):
            texts = paths.slice(first, _ROWS_AT_ONCE).to_pylist()
            parts = [texts[start : start + _ROWS_A_THREAD] for start in range(0, len(texts), _ROWS_A_THREAD)]
            found = itertools.chain.from_iterable(pool.map(_part, parts))
            for row, (count, changed, status, reason) in enumerate(found, first):
                states.bytes[row], states.mtime_ns[row] = count, changed
                states.status.append(status)
                states.reason.append(reason)
    return states


def _part(texts: list[str]) -> list[FileState]:
    return list(map(file_state, texts))


def file_state(text: str) -> FileState:
    """Ask the system for one file's size and time of change.

    Args:
        text: path, as stored.

    Returns:
        What it says; of what is not there or cannot be read, why.
    """
    path = opened_path(text)
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return _member_state(path)
    except (OSError, ValueError) as error:
        return -1, -1, "corrupt", f"cannot be opened ({explain(error)})"
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        return 0, found.st_mtime_ns, "empty", "file is empty"
    if not os.access(path, os.R_OK):  # not remembered: becoming readable leaves the time of change as it is
        return -1, -1, "corrupt", "cannot be opened (Permission denied)"
    return found.st_size, found.st_mtime_ns, None, None


def _member_state(path: str) -> FileState:
    """As `file_state`, of what is no file: a shard's member, an object, or nothing at all."""
    try:
        count, changed = state(path)
    except MissingVideoError as error:
        return -1, -1, "missing", error.reason
    except VideoDecodeError as error:
        return -1, -1, "corrupt", error.reason
    return (count, changed, None, None) if count else (0, changed, "empty", "file is empty")
