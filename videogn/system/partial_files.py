"""Files and folders that are being written, beside those that they are to replace.

`.NAME.XXXXXXXX.partial.SUFFIX` is claimed while its writer lives. What a killed writer left is not, and the next
writer of the same file removes it. File systems without locks keep it.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from videogn.system.room import refusing

try:
    import fcntl
except ImportError:  # Windows, where killed processes leave their files
    fcntl = None  # type: ignore[assignment]

#: Most bytes of a name, on every common file system.
_LONGEST_NAME = 255
_TOKEN = re.compile(r"[0-9a-z_]{8}")


@contextmanager
def partial_file(place: Path, *, sweep: bool = True) -> Iterator[Path]:
    """Yield the path of a new empty file; on success it takes the place of another, with its owner and mode.

    Args:
        place: File to create or replace, without links; its folder exists.
        sweep: Whether what killed writers of the same file left is removed; it takes a look at all names in the folder.
            Default: True.

    Yields:
        Path to write to, with the same suffix.

    Raises:
        FileNotFoundError: Nothing was written to it.
    """
    if sweep:
        remove_left_behind(place)
    before = _state(place)
    # Never readable for more users than the file that it replaces.
    mode = 0o666 if before is None else before.st_mode & 0o777 | stat.S_IWUSR
    path, descriptor = _claimed_file(place, mode)
    try:
        os.utime(path, (0, 0))  # the beginning of 1970, which no writer leaves
        yield path
        written = os.stat(path)
        if not written.st_size and not written.st_mtime:
            raise FileNotFoundError(f"nothing was written to {place}")
        put_in_place(path, place)
    finally:
        path.unlink(missing_ok=True)
        _let_go(descriptor)


@contextmanager
def partial_folder(place: Path) -> Iterator[Path]:
    """Yield a temporary folder beside a file, for the file and its companions; it is removed at the end.

    Args:
        place: File to create or replace, without links; its folder exists.
    """
    remove_left_behind(place)
    path, descriptor = _claimed_folder(place)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        _let_go(descriptor)


def put_in_place(made: Path, place: Path) -> None:
    """Rename a file over another, whose owner and mode it takes as far as this user may give them.

    Raises:
        WriteError: It cannot be renamed.
    """
    before = _state(place)
    if before is not None:
        now = os.stat(made)
        if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
            for owner in (before.st_uid, -1):  # who may not give a file away may still give it to a group
                with suppress(OSError):
                    os.chown(made, owner, before.st_gid)
                    break
        os.chmod(made, stat.S_IMODE(before.st_mode))
    with refusing(place):
        os.replace(made, place)


def remove_left_behind(place: Path) -> None:
    """Remove what killed writers of a file left beside it, and nothing that is being written.

    Args:
        place: File without links; neither it nor its folder need exist.
    """
    with suppress(OSError):
        for name in os.listdir(place.parent):
            if ".partial" in name and _is_of(name, place.name):
                with suppress(OSError):  # another user's, or removed meanwhile
                    remove_unclaimed(place.parent / name)


def _is_of(name: str, of: str) -> bool:
    """Whether a name is that of a temporary file, or of a temporary folder, for a file."""
    for whole in (True, False):
        start, end = _around_token(of, suffix=whole)
        middle = name[len(start) : len(name) - len(end)]
        if name == f"{start}{middle}{end}" and _TOKEN.fullmatch(middle):
            return True
    return False


def _around_token(name: str, *, suffix: bool) -> tuple[str, str]:
    """What stands before and after the token in the name of a temporary file: its suffix stays, as encoders need it."""
    end = ".partial" + (Path(name).suffix if suffix else "")
    stem = os.fsencode(Path(name).stem)[: _LONGEST_NAME - len(os.fsencode(end)) - 10]
    return f".{os.fsdecode(stem)}.", end


def _new_path(place: Path, *, suffix: bool) -> Path:
    start, end = _around_token(place.name, suffix=suffix)
    return place.with_name(f"{start}{secrets.token_hex(4)}{end}")


def _claimed_file(place: Path, mode: int) -> tuple[Path, int | None]:
    while True:
        path = _new_path(place, suffix=True)
        with refusing(place):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
        if fcntl is None:  # and an open file is not renamed
            os.close(descriptor)
            return path, None
        if claim(descriptor) is not False and path.exists():
            return path, descriptor
        os.close(descriptor)  # another process has taken it for one left behind, before it was claimed


def _claimed_folder(place: Path) -> tuple[Path, int | None]:
    while True:
        path = _new_path(place, suffix=False)
        with refusing(place):
            path.mkdir(mode=0o700)
        if fcntl is None:
            return path, None
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            if claim(descriptor) is not False and path.exists():
                return path, descriptor
            os.close(descriptor)


def claim(descriptor: int) -> bool | None:
    """Claim an open file or folder for as long as it is open, here or in a fork.

    Args:
        descriptor: Its number.

    Returns:
        True if that is done, False if another process holds it, None where the system or its disk has no locks.
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def remove_unclaimed(path: Path) -> None:
    """Remove a temporary file or folder unless its process lives, or nobody can say.

    Raises:
        OSError: It is another user's, or was removed meanwhile.
    """
    kind = os.lstat(path).st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        return
    descriptor = os.open(path, (os.O_RDONLY if stat.S_ISDIR(kind) else os.O_RDWR) | os.O_NOFOLLOW)
    try:
        if claim(descriptor) is not True:
            return
        if stat.S_ISDIR(kind):
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _let_go(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _state(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
