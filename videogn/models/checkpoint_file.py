"""Files of `torch.save`, looked over before torch reads them: whole, and no larger unpacked than they are.

A file is a zip archive with a check sum of every member, which torch does not compare, or one pickle after the other,
as versions before 1.6 wrote. Sizes that a file states are held against its own size before anything is allocated.
"""

from __future__ import annotations

import pickletools
import struct
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

#: Most bytes of pickles, and of a zip archive's directory: a network of 100,000 classes needs a quarter of it.
_MAX_PLAIN = 16 << 20
#: Most steps of pickles; each may make an object, from a byte. A name of a class takes two or three.
_MAX_STEPS = 2_000_000
_ZIP = b"PK\x03\x04"
#: What a zip archive ends with: the end of its directory, and before that, of a large one, where its own end is.
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
#: Pickles of an old file: number of the form, version, system, content, keys of the storages that follow.
_OLD_PICKLES = 5
_CHECKPOINT = "a checkpoint"


def check_whole(path: Path) -> None:
    """Refuse what is no whole file of `torch.save`, as far as can be seen without reading what is in it.

    Args:
        path: What is to be read. It exists.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no regular file, is damaged, or would unpack to more than its own size.
    """
    check_regular(path)
    with path.open("rb") as file:
        try:
            check_content(file, path.stat().st_size)
        except ValueError as error:
            raise ValueError(f"{path} is {error}") from error


def check_regular(path: Path) -> None:
    """Refuse what is no file on a disk: opening it may wait for ever.

    Args:
        path: What is to be read. It exists.

    Raises:
        ValueError: It is a folder, a pipe, a device or a socket.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder, and the file of a checkpoint is needed{nearby_checkpoint(path)}")
    if not path.is_file():
        raise ValueError(f"{path} is a pipe, a device or a socket, and the file of a checkpoint is needed")


def check_content(file: BinaryIO, size: int, what: str = _CHECKPOINT) -> None:
    """Compare the check sums in what torch has saved, and hold the sizes in it against its own.

    Args:
        file: Its bytes.
        size: Number of them.
        what: What it should be, for the message. Default: a checkpoint.

    Raises:
        ValueError: It is damaged, or would unpack to more. The message goes on from "it is".
    """
    if not size:
        raise ValueError("damaged: it is empty")
    if file.read(len(_ZIP)) == _ZIP:
        _check_archive(file, size, what)
    else:
        file.seek(0)
        _check_pickles(file, _OLD_PICKLES, what)


def check_tensors(path: Path, content: Any) -> None:
    """Refuse tensors that are not plain ones in the memory that was read.

    Args:
        path: The file, for the message.
        content: What was read from it. It may be tangled: one list in itself, or in another many times.

    Raises:
        ValueError: A tensor is of another kind, or claims to be larger than the file.
    """
    most = path.stat().st_size
    waiting, seen = [content], set()
    while waiting:
        value = waiting.pop()
        if isinstance(value, Tensor):
            plain = value.layout is torch.strided and value.device.type == "cpu" and not value.is_quantized
            if not plain or type(value) not in (Tensor, torch.nn.Parameter):
                raise ValueError(f"{path} is not a checkpoint: it holds a tensor that is no plain one on the CPU")
            if value.numel() * value.element_size() > most:
                raise ValueError(f"{path} is not a checkpoint: a tensor in it claims to be larger than the file")
        elif isinstance(value, dict | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += value.values() if isinstance(value, dict) else value


def _check_archive(file: BinaryIO, size: int, what: str) -> None:
    if not _ends_in_directory(file, size):
        raise ValueError("damaged: its end is missing, as where a copy or a download was cut short")
    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # of several types
        raise ValueError("damaged: the directory in it cannot be read") from error
    members = archive.infolist()
    unpacked = sum(member.file_size for member in members)
    if unpacked > size:
        raise ValueError(f"not {what}: its {size} bytes unpack to {unpacked}, while torch.save compresses nothing")
    if (plain := max((each.file_size for each in members if each.filename.endswith(".pkl")), default=0)) > _MAX_PLAIN:
        raise ValueError(f"not {what}: {plain} bytes of it are no tensors, at most {_MAX_PLAIN} are read")
    try:
        wrong = archive.testzip()
    except Exception as error:  # of several types
        raise ValueError("damaged: what is in it does not lie where its directory says") from error
    if wrong is not None:
        raise ValueError(f"damaged: the check sum of {wrong.partition('/')[2][:100]!r} in it is wrong")
    for each in members:
        if each.filename.endswith(".pkl"):
            with archive.open(each) as pickled:
                _check_pickles(pickled, 1, what)


def _ends_in_directory(file: BinaryIO, size: int) -> bool:
    """Whether a moderate directory and its end are the last bytes: other readers could find another one elsewhere."""
    if size < _END.size:
        return False
    file.seek(size - _END.size)
    sign, *_, length, start, comment = _END.unpack(file.read(_END.size))
    end = size - _END.size
    if sign != b"PK\x05\x06" or comment:
        return False
    file.seek(max(end - _LOCATOR.size, 0))
    locator = file.read(_LOCATOR.size)
    if locator.startswith(b"PK\x06\x07") and len(locator) == _LOCATOR.size:
        end = end - _LOCATOR.size - _END64.size
        if end < 0 or _LOCATOR.unpack(locator)[2] != end:
            return False
        file.seek(end)
        sign, *_, length, start = _END64.unpack(file.read(_END64.size))
        if sign != b"PK\x06\x06":
            return False
    file.seek(0)
    return start + length == end and length <= _MAX_PLAIN


class _Bounded:
    """The first bytes of a file, for a reader of pickles; what lies beyond them is not there."""

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file, self._left = file, most

    def read(self, length: int = -1) -> bytes:
        return self._counted(self._file.read(min(length, self._left) if length >= 0 else self._left))

    def readline(self) -> bytes:
        return self._counted(self._file.readline(self._left))

    def _counted(self, read: bytes) -> bytes:
        self._left -= len(read)
        return read


def _check_pickles(file: Any, number: int, what: str) -> None:
    """Walk through pickles without making what is in them."""
    bounded: Any = _Bounded(file, _MAX_PLAIN)
    try:
        steps = (step for _ in range(number) for step in pickletools.genops(bounded))
        endless = next(islice(steps, _MAX_STEPS, None), None)
    except Exception as error:  # of a dozen types
        raise ValueError(f"not {what}: it is damaged or was not written by torch.save") from error
    if endless is not None:
        raise ValueError(f"not {what}: it holds millions of values that are no tensors")


def nearby_checkpoint(folder: Path) -> str:
    """Return a hint at the newest checkpoint of a training run in a folder, for the end of a message."""
    places = (folder, folder / "checkpoints", *sorted(folder.glob("version_*/checkpoints"), key=_version, reverse=True))
    names = ("last.ckpt", "best.ckpt")
    found = (place / name for place in places for name in names if (place / name).is_file())
    first = next(found, None)
    return f"; did you mean {first}?" if first else ""


def _version(path: Path) -> tuple[int, str]:
    number = path.parent.name.partition("_")[2]
    return int(number) if number.isdecimal() else -1, number
