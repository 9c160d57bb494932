"""Where a video's bytes are: a file, a member of a tar shard, or either of them in an object store.

    videos/abc.mp4                    a file
    shards/train-000.tar/abc.mp4      a member of a shard: a component that ends in .tar and is a file
    s3://bucket/videos/abc.mp4        an object, read through fsspec
    s3://bucket/train-000.tar/abc.mp4 a member of a shard there: only its bytes are fetched

Only files are opened by name. The others are read into memory, once for each time a video is opened.
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

#: A file's absolute path, or the bytes of what is no file.
Source = str | bytes

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::|://)")
_SHARD = re.compile(r"\.tar(?=/)")
# Between two headers lies a video: reading ahead would fetch what is skipped.
_HEADER_BLOCK = 1 << 14
# A table holds about 300 bytes for each member.
_TABLES_KEPT = 64


class MemberPath(str):
    """The path of a shard's member that also says where in the shard it was when that was listed.

    With it, a member is one byte range away, without the table of its shard, of which a process keeps only a few. It
    is a hint: a member that is no longer there is looked up by its name.

    Attributes:
        start: position of the first byte.
        length: number of bytes.
    """

    start: int
    length: int

    def __new__(cls, path: str, start: int, length: int) -> MemberPath:
        self = super().__new__(cls, path)
        self.start, self.length = start, length
        return self

    def __reduce__(self) -> tuple[type[MemberPath], tuple[str, int, int]]:
        return MemberPath, (str(self), self.start, self.length)


def read_source(path: str | os.PathLike[str]) -> Source:
    """Get what a decoder opens.

    Args:
        path: of a file, a shard's member, or a URL of either.

    Returns:
        A file's absolute path, which no decoder takes for a protocol ("a:b.mp4"); else the bytes.

    Raises:
        VideoDecodeError: the file, shard or member is missing, empty or cannot be read.
    """
    text = os.fspath(path)
    shard, member = _split(text)
    if member is not None:
        listed = _read_listed(text, shard, member) if isinstance(text, MemberPath) else None
        return _read_member(text, shard, member) if listed is None else listed
    if not is_url(text):
        _check_file(text)
        return os.path.abspath(text)
    with _reading(text, text) as file:
        data: bytes = file.read()
    if not data:
        raise EmptyVideoError(path, "file is empty")
    return data


def open_source(source: Source) -> BinaryIO:
    """Open what `read_source` gave, for reading its bytes."""
    return open(source, "rb") if isinstance(source, str) else io.BytesIO(source)


def shard_members(shard: str | os.PathLike[str]) -> Mapping[str, tuple[int, int]]:
    """The regular files of a tar file, by reading its headers only.

    Args:
        shard: a tar file without compression, or its URL.

    Returns:
        Names -> (position of the first byte, number of bytes), in the order of the file. Of a shard that is cut short,
        the members up to the cut; the last may reach beyond it.

    Raises:
        VideoDecodeError: the shard is missing, cannot be read, or is no tar file.
    """
    text = os.fspath(shard)
    return _members(text, *_stamp(text, text))


def is_url(path: str) -> bool:
    """Whether fsspec is to read a path, as in "s3://bucket/train-000.tar"."""
    return _URL.match(path) is not None


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is such a file, member or object; False also where asking fails."""
    try:
        size(path)
    except VideoDecodeError:
        return False
    return True


def size(path: str | os.PathLike[str]) -> int:
    """Number of bytes of a file, a member or an object.

    Raises:
        VideoDecodeError: it does not exist, or asking fails.
    """
    text = os.fspath(path)
    shard, member = _split(text)
    return _stamp(text, text)[0] if member is None else _find(text, shard, member)[1]


def state(path: str | os.PathLike[str]) -> tuple[int, int]:
    """Number of bytes, and a number that is another one once the file, member or object has changed.

    That is the time of the last change in nanoseconds, of a member that of its shard; of an object it is made of the
    ETag, or of whatever else its store says of changes.

    Raises:
        VideoDecodeError: it does not exist, or asking fails.
    """
    text = os.fspath(path)
    shard, member = _split(text)
    count, changed = _stamp(shard, text)
    number = int.from_bytes(hashlib.sha256(changed.encode()).digest()[:7], "big") if is_url(shard) else int(changed)
    return (count if member is None else _find(text, shard, member)[1]), number


def _split(path: str) -> tuple[str, str | None]:
    """A path as (shard, member), or (path, None) where it leads into no shard.

    Of a local path the shard must not be a folder: a folder may be named so too.
    """
    text = path if is_url(path) else PurePath(path).as_posix()
    for found in _SHARD.finditer(text):
        shard = text[: found.end()]
        if is_url(path) or not os.path.isdir(shard):
            return shard, text[found.end() + 1 :]
    return path, None


def _check_file(path: str) -> None:
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingVideoError(path, "file not found") from error
    except (OSError, ValueError) as error:
        raise VideoDecodeError(path, f"cannot be opened ({explain(error)})") from error
    if stat.S_ISDIR(found.st_mode):
        raise VideoDecodeError(path, "is a directory")
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for ever
        raise VideoDecodeError(path, "not a regular file")
    if found.st_size == 0:
        raise EmptyVideoError(path, "file is empty")


def _filesystem(url: str) -> tuple[Any, str]:
    """fsspec's file system for a URL, and the path in it."""
    fsspec: Any = importlib.import_module("fsspec.core")  # slow to import, and few need it
    filesystem, path = fsspec.url_to_fs(url)
    return filesystem, path


@contextmanager
def _reading(file: str, path: str, **options: Any) -> Iterator[IO[bytes]]:
    """Open a local file or an object; whatever goes wrong in it is said of `path`."""
    what = "file" if file == path else "its shard"
    try:
        if is_url(file):
            filesystem, name = _filesystem(file)
            with filesystem.open(name, "rb", **options) as opened:
                yield opened
        else:
            with open(file, "rb") as opened:
                yield opened
    except VideoDecodeError:
        raise
    except FileNotFoundError as error:
        raise MissingVideoError(path, f"{what} not found") from error
    except Exception as error:  # object stores have errors of their own, without a common class
        raise VideoDecodeError(path, f"{what} cannot be read ({explain(error)})") from error


def _stamp(file: str, path: str) -> tuple[int, str]:
    """Size and time of the last change of a local file or an object; what goes wrong is said of `path`."""
    what = "file" if file == path else "its shard"
    try:
        if not is_url(file):
            found = os.stat(file)
            return found.st_size, str(found.st_mtime_ns)
        filesystem, name = _filesystem(file)
        facts = filesystem.info(name)
        changed = next((facts[key] for key in ("ETag", "etag", "mtime", "LastModified", "updated") if key in facts), "")
        return int(facts["size"] or 0), str(changed)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise MissingVideoError(path, f"{what} not found") from error
    except Exception as error:  # as above
        raise VideoDecodeError(path, f"{what} cannot be read ({explain(error)})") from error


@functools.lru_cache(maxsize=_TABLES_KEPT)
def _members(shard: str, size: int, changed: str) -> Mapping[str, tuple[int, int]]:
    """The table of a shard; size and time are part of the key, so that another file is read anew."""
    table: dict[str, tuple[int, int]] = {}
    with _reading(shard, shard, block_size=_HEADER_BLOCK) as file:
        try:
            archive: Any
            with tarfile.open(fileobj=file, mode="r:") as archive:
                while (member := archive.next()) is not None:
                    archive.members.clear()  # it would keep a large object for each
                    if member.isreg() and not member.issparse():
                        table[member.name.removeprefix("./")] = (member.offset_data, member.size)
        except tarfile.TarError as error:
            if not table:
                raise VideoDecodeError(shard, f"not a tar file ({explain(error)})") from error
    return MappingProxyType(table)


def _find(path: str, shard: str, member: str) -> tuple[int, int]:
    """Where in its shard a member is: position and number of bytes."""
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
    if length == 0:
        raise EmptyVideoError(path, "file is empty")
    # Byte ranges in object stores: without this, a block of some megabytes would be fetched.
    with _reading(shard, path, cache_type="none") as file:
        file.seek(start)
        data = file.read(length)
    if len(data) < length:
        raise VideoDecodeError(path, f"its shard is cut short ({len(data)} of {length} bytes)")
    return data


def _read_listed(path: MemberPath, shard: str, member: str) -> bytes | None:
    """The bytes at the place where a member was listed; None unless its own header still stands before them."""
    start = path.start - tarfile.BLOCKSIZE
    if start < 0 or path.length == 0:
        return None
    with _reading(shard, path, cache_type="none") as file:
        file.seek(start)
        data = file.read(tarfile.BLOCKSIZE + path.length)
    try:
        header = tarfile.TarInfo.frombuf(data[: tarfile.BLOCKSIZE], "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return None
    # A header of its own precedes for a long name, or one that is not ASCII; here it is cut, or has question marks.
    name = header.name.removeprefix("./").encode("utf-8", "surrogateescape")
    spellings = (member.encode("utf-8", "surrogateescape"), member.encode("ascii", "replace"))
    named = name in spellings or (len(name) > 90 and any(spelling.startswith(name) for spelling in spellings))
    whole = header.size == path.length == len(data) - tarfile.BLOCKSIZE
    return data[tarfile.BLOCKSIZE :] if header.isreg() and named and whole else None
