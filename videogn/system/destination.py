"""What a path that is to be written stands for: a file to replace, or a device or pipe to write through."""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple

#: Links that the system follows one after another.
_MOST_LINKS = 40
_BLOCK = 1 << 20
#: Folders of the open files of a process: /dev/stdout and >(command) of a shell lead there.
_DESCRIPTORS = re.compile(r"/dev/fd|/proc/(\d+)(?:/task/\d+)?/fd")


class Destination(NamedTuple):
    """Where what is written to a path goes.

    Attributes:
        path: Path without links of its own.
        through: Whether it is written to as it is, being a device, a pipe or an open file, in place of being replaced.
    """

    path: Path
    through: bool


def destination(path: str | Path) -> Destination:
    """Follow the links of a path that is to be written. Nothing is written.

    Args:
        path: File, device or pipe; it need not exist, and neither need the target of a link.

    Returns:
        Where it goes.

    Raises:
        OSError: It is a folder or a socket, links lead in a circle, or a parent is a file.
    """
    place = Path(path)
    for _ in range(_MOST_LINKS):
        if _DESCRIPTORS.fullmatch(os.path.realpath(place.parent)) and place.name.isdecimal():
            return Destination(place, through=True)
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            return Destination(place, through=False)
        except NotADirectoryError as error:
            raise NotADirectoryError(f"{path} lies in a file, not in a folder: name another path") from error
        if not stat.S_ISLNK(mode):
            return Destination(place, _is_through(path, mode))
        place = place.parent / os.readlink(place)
    raise OSError(f"{path} is a link that leads in a circle: name another path")


def _is_through(path: str | Path, mode: int) -> bool:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{path} is a folder: name a file")
    if stat.S_ISSOCK(mode):
        raise OSError(f"{path} is a socket, which is no file: name another path")
    return not stat.S_ISREG(mode)


def check_file(path: str | Path) -> Destination:
    """Refuse, before any work, a file that could not be written after it.

    Args:
        path: File, device or pipe.

    Returns:
        Where it goes; see `destination`.

    Raises:
        OSError: It is a folder, or cannot be written. The message says why in a line.
    """
    place = destination(path)
    if place.through:
        _check_through(path, place.path)
    else:
        check_folder(place.path.parent, of=path)
    return place


def check_folder(folder: str | Path, *, of: str | Path | None = None) -> None:
    """Refuse, before any work, a folder in which no file could be made after it.

    Args:
        folder: Folder; it need not exist.
        of: File in it, for the message. Default: the folder itself is what the user named.

    Raises:
        OSError: It is or lies in a file, or cannot be written.
    """
    what = folder if of is None else of
    there = next(part for part in (Path(folder), *Path(folder).absolute().parents) if os.path.lexists(part))
    if not there.is_dir():
        is_what = "a file" if there.is_file() else "a device or pipe" if there.exists() else "a link to nothing"
        raise NotADirectoryError(
            f"{what} must be a folder, and it is {is_what}"
            if of is None and there == Path(folder)
            else f"{what} cannot be made: {there} is {is_what}, not a folder"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(f"{what} cannot be written: {_why_not(there)}; name a place in another folder")


def _why_not(folder: Path) -> str:
    read_only = hasattr(os, "statvfs") and os.statvfs(folder).f_flag & os.ST_RDONLY
    return f"the file system of {folder} is read-only" if read_only else f"no permission to write in {folder}"


def _check_through(path: str | Path, place: Path) -> None:
    """Refuse a device or pipe that is not there, or not for writing."""
    number = _own_descriptor(place)
    try:
        allowed = os.access(place, os.W_OK) if number is None else os.fstat(number) is not None
    except OSError as error:
        raise OSError(f"{path} is no open file of this process: name another path") from error
    if not allowed:
        raise PermissionError(f"{path} cannot be written: no permission")


def open_through(place: Path) -> BinaryIO:
    """Open a device, pipe or open file for writing, unbuffered; a pipe waits for its reader.

    What is open in this process already, such as standard output, is written to from where it stands.

    Raises:
        OSError: It cannot be opened.
    """
    number = _own_descriptor(place)
    # Not O_CREAT: a pipe that has gone meanwhile is no file to make.
    descriptor = os.open(place, os.O_WRONLY) if number is None else os.dup(number)
    return os.fdopen(descriptor, "wb", buffering=0)


def copy_through(made: Path, place: Path) -> None:
    """Copy a file to a device, pipe or open file.

    Raises:
        OSError: It cannot be written.
    """
    with open(made, "rb") as file, open_through(place) as out:
        while block := file.read(_BLOCK):
            write_all(out, block)


def _own_descriptor(place: Path) -> int | None:
    """Number of an open file of this process; None for every other path."""
    found = _DESCRIPTORS.fullmatch(os.path.realpath(place.parent))
    if found is None or not place.name.isdecimal() or found[1] not in (None, str(os.getpid())):
        return None
    return int(place.name)


def write_all(file: BinaryIO, data: bytes | memoryview) -> None:
    """Write all of some bytes to an unbuffered file, of which the system may take a part at a time.

    Raises:
        OSError: The file cannot be written.
    """
    rest = memoryview(data)
    while rest:
        count = file.write(rest)
        if count is None:  # a pipe that does not wait, and whose reader is slow
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        rest = rest[count:]
