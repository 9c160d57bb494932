"""Matroska and WebM: nested elements, some with check sums.

VP8 and VP9 decode any bits without an error. FFmpeg's demuxer ignores the check sums and reads on after garbage.
"""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

_HEADER = 0x1A45DFA3
_SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
# Padding, chapters, tags and attachments: no frame depends on them, and some muxers leave wrong check sums in them.
_IGNORED = frozenset({0xEC, 0x1043A770, 0x1254C367, 0x1941A469})
_CHECK_SUM = b"\xbf\x84"  # its number and its length
#: Size of an element that is written as a stream: it ends where the next one of its level begins.
_UNKNOWN = -1


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the end of the segment. The file then stands at its first element."""
    name, size = _element(file, length)
    if name != _HEADER or size == _UNKNOWN:
        return None
    file.seek(size, io.SEEK_CUR)
    name, size = _element(file, None)
    return None if name != _SEGMENT or size == _UNKNOWN else file.tell() + size


def damage(file: BinaryIO, length: int) -> str | None:
    """See `videogn.video.integrity`: elements do not nest, or a check sum is wrong."""
    told = end(file, length)
    while told is not None and (start := file.tell()) < min(told, length):
        name, size = _element(file, told)
        if size == _UNKNOWN and name == _CLUSTER:
            return None
        if name is None or file.tell() + size > told:
            return f"the container is damaged at byte {start}"
        if file.tell() + size > length:  # cut short, which is no damage
            return None
        data = file.read(size)
        if name not in _IGNORED and not _is_sound(name, data):
            return f"the data at bytes {start} to {file.tell()} are damaged"
    return None


def _is_sound(name: int, data: bytes) -> bool:
    if data.startswith(_CHECK_SUM):
        return zlib.crc32(memoryview(data)[6:]) == int.from_bytes(data[2:6], "little")
    if name != _CLUSTER:
        return True
    file = io.BytesIO(data)
    while file.tell() < len(data):
        child, size = _element(file, len(data))
        if child is None or size == _UNKNOWN:
            return False
        file.seek(size, io.SEEK_CUR)
    return file.tell() == len(data)


def _element(file: BinaryIO, end: int | None) -> tuple[int | None, int]:
    """Number and size of the element that begins here; the number is None if there is none, or it exceeds `end`."""
    name, length = _number(file), _number(file)
    if name is None or length is None:
        return None, 0
    value, digits = length
    ones = (1 << 7 * digits) - 1
    size = _UNKNOWN if value & ones == ones else value & ones
    return (None, 0) if end is not None and file.tell() + size > end else (name[0], size)


def _number(file: BinaryIO) -> tuple[int, int] | None:
    """A number as it is written, and its length in bytes: leading zero bits of the first byte, plus one."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    rest = file.read(extra)
    return (int.from_bytes(first + rest, "big"), extra + 1) if len(rest) == extra else None
