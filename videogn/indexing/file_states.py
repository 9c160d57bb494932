"""Size and time of change of files, and whether they can be videos at all, without opening one."""

from __future__ import annotations

import itertools
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from videogn.data.stored_paths import opened_path
from videogn.video.errors import MissingVideoError, VideoDecodeError, explain
from videogn.video.storage import state

#: Threads that ask for states; a network file system answers many questions at once.
_ASKING = 16
_ROWS_AT_ONCE = 1 << 14
_ROWS_A_THREAD = 256

#: bytes: size, null if unknown. mtime_ns: time of the last change, or for an object the number that
#: `videogn.video.storage.state` gives; null if unknown. status: "missing", "empty" or "corrupt" if the file need not be
#: opened to say so, else null. reason: of the status.
STATES = pa.schema([("bytes", pa.int64()), ("mtime_ns", pa.int64()), ("status", pa.string()), ("reason", pa.string())])
#: One row of these columns.
FileState = tuple[int | None, int | None, str | None, str | None]


def file_states(paths: pa.ChunkedArray) -> pa.Table:
    """Ask for the size and the time of change of many files.

    Args:
        paths: Paths as stored.

    Returns:
        Columns `STATES`, one row for each path.
    """
    tables = [STATES.empty_table()]
    with ThreadPoolExecutor(_ASKING) as pool:
        for first in range(0, len(paths), _ROWS_AT_ONCE):
            texts = paths.slice(first, _ROWS_AT_ONCE).to_pylist()
            parts = [texts[start : start + _ROWS_A_THREAD] for start in range(0, len(texts), _ROWS_A_THREAD)]
            rows = itertools.chain.from_iterable(pool.map(_part, parts))
            tables.append(pa.table([*map(list, zip(*rows, strict=True))], schema=STATES))
    return pa.concat_tables(tables)


def _part(texts: list[str]) -> list[FileState]:
    return list(map(file_state, texts))


def file_state(text: str) -> FileState:
    """Ask for the size and the time of change of one file.

    Args:
        text: Path as stored.

    Returns:
        Values of `STATES`.
    """
    path = opened_path(text)
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return _member_state(path)
    except (OSError, ValueError) as error:
        return None, None, "corrupt", f"cannot be opened ({explain(error)})"
    if stat.S_ISDIR(found.st_mode):
        return _folder_state(path)
    if stat.S_ISREG(found.st_mode) and found.st_size == 0:
        return 0, found.st_mtime_ns, "empty", "file is empty"
    if not os.access(path, os.R_OK):  # not remembered: becoming readable does not change the time of change
        return None, None, "corrupt", "cannot be opened (Permission denied)"
    return found.st_size, found.st_mtime_ns, None, None


def _folder_state(path: str) -> FileState:
    """As `file_state`, for a folder, whose images may be the frames of a video."""
    try:
        return *state(path), None, None
    except VideoDecodeError as error:
        return None, None, "corrupt", error.reason


def _member_state(path: str) -> FileState:
    """As `file_state`, for a path that is no file: a member of a shard, an object, or nothing at all."""
    try:
        count, changed = state(path)
    except MissingVideoError as error:
        return None, None, "missing", error.reason
    except VideoDecodeError as error:
        return None, None, "corrupt", error.reason
    return (count, changed, None, None) if count else (0, changed, "empty", "file is empty")
