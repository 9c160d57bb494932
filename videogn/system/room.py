"""Room on disks: what is said where a file cannot be written for want of it."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from videogn.system.sizes import format_size

#: Errors of a file that has no room, or that nothing can be written beside.
_REASONS = {number: os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)}
_REASONS[errno.EFBIG] += ", see ulimit -f"
#: Of these, those that the free space says something about.
_FULL = {errno.ENOSPC, errno.EDQUOT}
#: Free bytes below which a writer that gives no reason has failed for want of room.
_LITTLE = 1 << 20
#: A message that says so, be it of ours or of the system.
NO_ROOM = re.compile("|".join(map(re.escape, _REASONS.values())))


class WriteError(OSError):
    """A file cannot be written; the message names the file and says why, and what room there is."""


def free_bytes(place: str | Path) -> int | None:
    """Return the bytes that this user may still write where a file or folder is or would be; None if unknown."""
    for folder in (Path(place), *Path(place).absolute().parents):
        with suppress(OSError, AttributeError):  # does not exist yet; or Windows
            found = os.statvfs(folder)
            return found.f_bavail * found.f_frsize
    return None


def no_room(error: BaseException | None) -> OSError | None:
    """Find the error of a full disk, or one like it, that an error comes from.

    Args:
        error: The error; some libraries raise one of their own after it.

    Returns:
        The error of the system, or None if there is none.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _REASONS:
            return error
        error = error.__cause__ or error.__context__
    return None


def reason(error: OSError) -> str:
    """Say in a few words why the system refused to write."""
    return _REASONS.get(error.errno or 0) or error.strerror or str(error)


def why(error: OSError, place: str | Path, *, written: int = 0, needed: int = 0) -> str:
    """Say in a few words why something could not be written; of a full disk also what is free.

    Args:
        error: Error of the system.
        place: File or folder that was written.
        written: Bytes of it that are there and will be removed. Default: 0.
        needed: Bytes that it needs, where they are known. Default: 0.
    """
    left = free_bytes(place) if error.errno in _FULL else None
    if left is None:
        return reason(error)
    free = left + written
    has = f"{reason(error)}, {format_size(free)} free"
    if error.errno == errno.ENOSPC and left > max(needed, _LITTLE):
        return f"{has}: perhaps it holds as many files as it can, see df -i"
    if needed > free:
        return f"{has} and about {format_size(needed)} needed"
    return f"{has} and more needed" if free else has


def lack_of_room(place: Path) -> str | None:
    """Say that hardly anything can be written where a file is; None where there is room."""
    return why(OSError(errno.ENOSPC, ""), place) if _is_full(place) else None


@contextmanager
def refusing(path: str | Path) -> Iterator[None]:
    """Let any error of the system that comes of making or renaming a file name that which the user knows.

    Args:
        path: The file, for the message.

    Raises:
        WriteError: The block could not do it.
    """
    try:
        yield
    except OSError as error:
        raise write_error(error, path) from error


@contextmanager
def naming(path: str | Path, written: Path | None = None) -> Iterator[None]:
    """Let the error of a full disk, which names no file, say which file could not be written, and what is free.

    Args:
        path: File, for the message.
        written: Temporary file that is written in its place. Default: the file itself.

    Raises:
        WriteError: The block could not write.
    """
    written = Path(path) if written is None else written
    try:
        yield
    except WriteError as error:
        if str(written) == str(path) or str(written) not in str(error):
            raise
        # A writer that itself writes to a temporary file has named the one that stands for it here.
        made = WriteError(str(error).replace(str(written), str(path)))
        made.errno = error.errno
        raise made from error
    except Exception as error:
        cause = no_room(error)
        if cause is None and _gives_no_reason(error) and _is_full(written):
            cause = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if cause is None:
            raise
        raise write_error(cause, path, written) from error


def write_error(error: OSError, path: str | Path, written: Path | None = None) -> WriteError:
    """Make the error that names a file; see `naming`."""
    written = Path(path) if written is None else written
    partial = 0 if written == Path(path) else _size(written)
    # It needs about as much as the one that it replaces.
    made = WriteError(f"{path} cannot be written ({why(error, written, written=partial, needed=_size(Path(path)))})")
    made.errno = error.errno
    return made


def _size(path: Path) -> int:
    """Bytes of a file, or of the files in a folder; 0 if there is none."""
    with suppress(OSError):
        return sum(map(_size, path.iterdir())) if path.is_dir() else path.stat().st_size
    return 0


def _gives_no_reason(error: Exception) -> bool:
    """Whether it is one of C++, which says no more than that writing failed."""
    return type(error) is RuntimeError or (isinstance(error, OSError) and error.errno is None)


def _is_full(place: Path) -> bool:
    free = free_bytes(place)
    return free is not None and free < _LITTLE
