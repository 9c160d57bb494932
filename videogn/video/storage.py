"""Access to the bytes of a video: a file, a member of a tar shard, or either of them in an object store.

    videos/abc.mp4                    a file
    shards/train-000.tar/abc.mp4      a member of a shard: a component that ends in .tar and is a file
    s3://bucket/videos/abc.mp4        an object, read through fsspec
    s3://bucket/train-000.tar/abc.mp4 a member of a shard there; only its bytes are fetched
    HeldFile("abc.mp4", data)         bytes that a program holds

Only files are opened by name. The others are read into memory once for each time a video is opened.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import io
import os
import re
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import PurePath
from types import MappingProxyType
from typing import IO, Any, BinaryIO

from videogn.video.errors import EmptyVideoError, MissingVideoError, VideoDecodeError, explain
from videogn.video.held_file import HeldFile

#: Absolute path of a file, or the bytes of a video that is not a separate file.
Source = str | bytes

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::|://)")
_SHARD = re.compile(r"\.tar(?=/)")
# A video lies between two headers: reading ahead would fetch bytes that are skipped.
_HEADER_BLOCK = 1 << 14
# A table holds about 300 bytes for each member.
_TABLES_KEPT = 64


class MemberPath(str):
    """Path of a member of a shard, with its place in the shard at the time of listing.

    The member can then be read as one byte range, without the table of its shard, of which a process keeps only a few.
    The place is a hint: a member that is no longer there is looked up by its name.

    Attributes:
        start: Position of the first byte.
        length: Number of bytes.
    """

    start: int
    length: int

    def __new__(cls, path: str, start: int, length: int) -> MemberPath:
        self = super().__new__(cls, path)
        self.start, self.length = start, length
        return self

    def __reduce__(self) -> tuple[type[MemberPath], tuple[str, int, int]]:
        return MemberPath, (str(self), self.start, self.length)


class CheckedFile(str):
    """Path of a file all frames of which were decoded by a full check, with its state at that time.

    Attributes:
        size: Size in bytes.
        changed: Time of the last change in nanoseconds.
        survey: What its packets told, see `videogn.video.decoders.survey`; None if that is not known.
    """

    size: int
    changed: int
    survey: str | None

    def __new__(cls, path: str, size: int, changed: int, survey: str | None = None) -> CheckedFile:
        self = super().__new__(cls, path)
        self.size, self.changed, self.survey = size, changed, survey
        return self

    def __reduce__(self) -> tuple[type[CheckedFile], tuple[str, int, int, str | None]]:
        return CheckedFile, (str(self), self.size, self.changed, self.survey)

    def is_unchanged(self) -> bool:
        """Return whether it is a file whose size and time of change are still those of the check."""
        try:
            found = os.stat(self)
        except (OSError, ValueError):  # among others an object in a store, which would have to be asked for it
            return False
        return (found.st_size, found.st_mtime_ns) == (self.size, self.changed)


def read_source(path: str | os.PathLike[str]) -> Source:
    """Return the source that a decoder opens.

    Args:
        path: File, member of a tar shard, or URL of either.

    Returns:
        The absolute path of a file, which no decoder mistakes for a protocol ("a:b.mp4"); else the bytes.

    Raises:
        VideoDecodeError: If the file, shard or member is missing, empty or cannot be read.
    """
    text = os.fspath(path)
    shard, member = _split(text)
    data: bytes | None
    if isinstance(text, HeldFile):
        data = text.data
    elif member is None and not is_url(text):
        _check_file(text)
        return os.path.abspath(text)
    elif member is None:
        with _reading(text, text) as file:
            data = file.read()
    else:
        listed = _read_listed(text, shard, member) if isinstance(text, MemberPath) else None
        data = _read_member(text, shard, member) if listed is None else listed
    if not data:
        raise EmptyVideoError(path, "file is empty")
    return data


def open_source(source: Source) -> BinaryIO:
    """Open the result of `read_source` for reading its bytes."""
    return open(source, "rb") if isinstance(source, str) else io.BytesIO(source)


def shard_members(shard: str | os.PathLike[str]) -> Mapping[str, tuple[int, int]]:
    """List the regular files in a tar file, by reading only its headers.

    Args:
        shard: Tar file without compression, or its URL.

    Returns:
        Name -> (position of the first byte, number of bytes), in the order of the file. In a shard that is cut short,
        the members up to the cut; the last may reach beyond it.

    Raises:
        VideoDecodeError: If the shard is missing, cannot be read, or is not a tar file.
    """
    text = os.fspath(shard)
    return _members(text, *_stamp(text, text))


def is_url(path: str) -> bool:
    """Return whether a path is a URL that fsspec reads, such as "s3://bucket/train-000.tar"."""
    return _URL.match(path) is not None


def exists(path: str | os.PathLike[str]) -> bool:
    """Return whether a file, member or object exists; False also if that cannot be determined."""
    try:
        size(path)
    except VideoDecodeError:
        return False
    return True


def size(path: str | os.PathLike[str]) -> int:
    """Return the size of a file, a member or an object in bytes.

    Raises:
        VideoDecodeError: If it does not exist, or its size cannot be determined.
    """
    return state(path)[0]


def state(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Return the size in bytes, and a number that changes whenever the file, member or object changes.

    The number is the time of the last change in nanoseconds; for a member, that of its shard; for a folder, that of it
    or of any of its files, whose sizes are added up. For an object it is a
    hash of its ETag, or of another property that its store changes.

    Raises:
        VideoDecodeError: If it does not exist, or its state cannot be determined.
    """
    text = os.fspath(path)
    shard, member = _split(text)
    count, changed = _stamp(shard, text)
    number = int.from_bytes(hashlib.sha256(changed.encode()).digest()[:7], "big") if is_url(shard) else int(changed)
    return (count if member is None else _find(text, shard, member)[1]), number


def _split(path: str) -> tuple[str, str | None]:
    """A path as (shard, member), or as (path, None) if it does not lead into a shard.

    A local folder may be named like a shard.
    """
    text = path if is_url(path) else PurePath(path).as_posix()
    for found in _SHARD.finditer(text):
        shard = text[: found.end()]
        if is_url(path) or not os.path.isdir(shard):
            return shard, text[found.end() + 1 :]
    return path, None


def _check_file(path: str) -> None:
    with _accessing(path, path):
        found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise VideoDecodeError(path, "is a directory")
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait forever
        raise VideoDecodeError(path, "not a regular file")
    if found.st_size == 0:
        raise EmptyVideoError(path, "file is empty")


def _filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it."""
    fsspec: Any = importlib.import_module("fsspec.core")  # slow to import, and few need it
    filesystem, path = fsspec.url_to_fs(url)
    return filesystem, path


@contextmanager
def _accessing(file: str, path: str) -> Iterator[None]:
    """Turn any error of accessing a local file or an object into one that names `path`."""
    name = "file" if file == path else "its shard"
    try:
        yield
    except VideoDecodeError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingVideoError(path, f"{name} not found") from error
    except Exception as error:  # the errors of object stores have no common class
        raise VideoDecodeError(path, f"{name} cannot be read ({explain(error)})") from error


@contextmanager
def _reading(file: str, path: str, **options: Any) -> Iterator[IO[bytes]]:
    """Open a local file or an object; errors name `path`."""
    with _accessing(file, path):
        if is_url(file):
            filesystem, name = _filesystem(file)
            with filesystem.open(name, "rb", **options) as opened:
                yield opened
        else:
            with open(file, "rb") as opened:
                yield opened


def _stamp(file: str, path: str) -> tuple[int, str]:
    """Size and time of the last change of a local file or an object; errors name `path`."""
    with _accessing(file, path):
        if not is_url(file):
            found = os.stat(file)
            if stat.S_ISDIR(found.st_mode):
                return _folder_stamp(file, found.st_mtime_ns)
            return found.st_size, str(found.st_mtime_ns)
        filesystem, name = _filesystem(file)
        facts = filesystem.info(name)
        changed = next((facts[key] for key in ("ETag", "etag", "mtime", "LastModified", "updated") if key in facts), "")
        return int(facts["size"] or 0), str(changed)


def _folder_stamp(folder: str, changed: int) -> tuple[int, str]:
    """Size of all files in a folder, such as the frames of a video, and the last change of it or any of them."""
    with os.scandir(folder) as entries:
        files = [entry.stat() for entry in entries if entry.is_file()]
    return sum(file.st_size for file in files), str(max([changed, *(file.st_mtime_ns for file in files)]))


@functools.lru_cache(maxsize=_TABLES_KEPT)
def _members(shard: str, size: int, changed: str) -> Mapping[str, tuple[int, int]]:
    """The table of a shard. Size and time are part of the key, so that a changed file is read again."""
    table: dict[str, tuple[int, int]] = {}
    with _reading(shard, shard, block_size=_HEADER_BLOCK) as file:
        try:
            archive: Any
            with tarfile.open(fileobj=file, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # it would keep a large object for each member
                    if member.isreg() and not member.issparse():
                        table[member.name.removeprefix("./")] = (member.offset_data, member.size)
        except tarfile.TarError as error:
            if not table:
                raise VideoDecodeError(shard, f"not a tar file ({explain(error)})") from error
    return MappingProxyType(table)


def _find(path: str, shard: str, member: str) -> tuple[int, int]:
    """Place of a member in its shard: position and number of bytes."""
    stamp = _stamp(shard, path)
    try:
        place = _members(shard, *stamp).get(member)
    except VideoDecodeError as error:
        raise VideoDecodeError(path, f"its shard: {error.reason}") from error
    if place is None:
        raise MissingVideoError(path, "its shard has no such member")
    return place


def _read_member(path: str, shard: str, member: str) -> bytes:
    start, length = _find(path, shard, member)
    # Byte ranges in object stores: without this, a block of some megabytes would be fetched.
    with _reading(shard, path, cache_type="none") as file:
        data = _read_range(file, start, length)
    if len(data) < length:
        raise VideoDecodeError(path, f"its shard is cut short ({len(data)} of {length} bytes)")
    return data


def _read_range(file: IO[bytes], start: int, length: int) -> bytes:
    """The bytes of a range as far as they are there; memory is taken for no more, whatever an index says."""
    rest = file.seek(0, os.SEEK_END) - start
    if rest <= 0 or length <= 0:
        return b""
    file.seek(start)
    return file.read(min(length, rest))


def _read_listed(path: MemberPath, shard: str, member: str) -> bytes | None:
    """The bytes at the place where a member was listed; None unless its header still precedes them."""
    start = path.start - tarfile.BLOCKSIZE
    if start < 0 or path.length == 0:
        return None
    with _reading(shard, path, cache_type="none") as file:
        data = _read_range(file, start, tarfile.BLOCKSIZE + path.length)
    try:
        header = tarfile.TarInfo.frombuf(data[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    # A long name, or one that is not ASCII, has an extra header before this one; here it is cut or has question marks.
    name = header.name.removeprefix("./").encode("utf-8", "surrogateescape")
    spellings = (member.encode("utf-8", "surrogateescape"), member.encode("ascii", "replace"))
    named = name in spellings or (len(name) > 90 and any(spelling.startswith(name) for spelling in spellings))
    whole = header.size == path.length == len(data) - tarfile.BLOCKSIZE
    return data[tarfile.BLOCKSIZE :] if header.isreg() and named and whole else None
