"""Ogg: pages with check sums, numbered in each stream."""

from __future__ import annotations

import zlib
from typing import BinaryIO

_MARK = b"OggS"
_HEADER = 27
_LONGEST = _HEADER + 255 + 255 * 255
_FIRST = 2  # flag of a stream's first page

# Ogg's check sum is zlib's with the bits of each byte, and of the result, in the other order, and without inversion.
_MIRRORED = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))
_NOT_INVERTED = 0xFFFFFFFF


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the last page's header tells its length."""
    if file.read(4) != _MARK:
        return None
    start = file.seek(max(0, length - _LONGEST))
    tail = file.read()
    page = tail.rfind(_MARK)
    header = tail[page : page + _HEADER]
    if page < 0 or len(header) < _HEADER:
        return length + 1
    return start + page + _page_length(tail[page : page + _HEADER + header[26]])


def damage(file: BinaryIO, length: int) -> str | None:
    """See `videogn.video.integrity`: a check sum is wrong, or a page is missing."""
    numbers: dict[bytes, int] = {}  # of the last page of each stream
    while (start := file.tell()) < length:
        header = file.read(_HEADER)
        if header[:4] != _MARK:
            return f"the container is damaged at byte {start}" if start else None
        header += file.read(header[26]) if len(header) == _HEADER else b""
        if len(header) < _HEADER or start + _page_length(header) > length:
            return None
        body = file.read(_page_length(header) - len(header))
        if _check_sum(header[:22] + bytes(4) + header[26:] + body) != int.from_bytes(header[22:26], "little"):
            return f"the data at bytes {start} to {file.tell()} are damaged"
        stream, number = header[14:18], int.from_bytes(header[18:22], "little")
        if not header[5] & _FIRST and stream in numbers and number != numbers[stream] + 1:
            return f"pages are missing before byte {start}"
        numbers[stream] = number
    return None


def _page_length(header: bytes) -> int:
    return _HEADER + header[26] + sum(header[_HEADER : _HEADER + header[26]])


def _check_sum(page: bytes) -> int:
    mirrored = zlib.crc32(page.translate(_MIRRORED), _NOT_INVERTED) ^ _NOT_INVERTED
    return int(f"{mirrored:032b}"[::-1], 2)
