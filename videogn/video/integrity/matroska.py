"""Damage to Matroska and WebM files that no decoder sees: their elements' check sums, and how elements nest.

VP8 and VP9 decode whatever bits they are given. FFmpeg's demuxer ignores the check sums and reads on after rubbish.
"""

from __future__ import annotations

import io
import zlib
from typing import BinaryIO

from videogn.video.storage import Source, open_source

_HEADER = 0x1A45DFA3
_SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
_VOID = 0xEC
_CHECK_SUM = b"\xbf\x84"  # its number and its length
#: The size of an element that is written as a stream: it ends where the next one of its level begins.
_UNKNOWN = -1


def segment_end(file: BinaryIO, length: int) -> int | None:
    """Position at which the file ends by its own account; None for other formats and for streams.

    The file stands at the first element of the segment afterwards.

    Args:
        file: at its beginning.
        length: of the file, bytes.
    """
    name, size = _element(file, length)
    if name != _HEADER or size == _UNKNOWN:
        return None
    file.seek(size, io.SEEK_CUR)
    name, size = _element(file, None)
    return None if name != _SEGMENT or size == _UNKNOWN else file.tell() + size


def damage(source: Source) -> str | None:
    """What is wrong inside a file, as its structure and its check sums tell; None for other formats too.

    Args:
        source: of `read_source`.
    """
    with open_source(source) as file:
        length = file.seek(0, io.SEEK_END)
        file.seek(0)
        end = segment_end(file, length)
        while end is not None and (start := file.tell()) < min(end, length):
            name, size = _element(file, end)
            if size == _UNKNOWN and name == _CLUSTER:
                return None
            if name is None or file.tell() + size > end:
                return f"the container is damaged at byte {start}"
            if file.tell() + size > length:  # cut short, which is another matter
                return None
            data = file.read(size)
            if name != _VOID and not _is_sound(name, data):
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
    """Number and size of the element that begins here; the number is None where none does, or it goes beyond `end`."""
    name, length = _number(file), _number(file)
    if name is None or length is None:
        return None, 0
    value, digits = length
    ones = (1 << 7 * digits) - 1
    size = _UNKNOWN if value & ones == ones else value & ones
    return (None, 0) if end is not None and file.tell() + size > end else (name[0], size)


def _number(file: BinaryIO) -> tuple[int, int] | None:
    """A number as it is written, and its bytes; the zero bits before the first one tell how many follow the first."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    extra = 8 - first[0].bit_length()
    rest = file.read(extra)
    return (int.from_bytes(first + rest, "big"), extra + 1) if len(rest) == extra else None
