"""Ogg: pages with check sums, numbered in each stream."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from videogn.video.integrity import Damage

_MARK = b"OggS"
_HEADER = 27
_LONGEST = _HEADER + 255 + 255 * 255
_FIRST = 2  # flag of a stream's first page
#: Beginnings of streams that are no video: Vorbis, Opus, Speex, FLAC, their index (skeleton) and subtitles (Kate).
_NO_VIDEO = (b"\x01vorbis", b"OpusHead", b"Speex   ", b"\x7fFLAC", b"fLaC", b"fishead\0", b"\x80kate\0")

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


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: a check sum is wrong, or a page is missing."""
    numbers: dict[bytes, int] = {}  # of the last page of each stream
    others: set[bytes] = set()  # streams that are no video
    while (start := file.tell()) < length:
        header = file.read(_HEADER)
        if header[:4] != _MARK:
            if start:
                yield Damage(f"the container is damaged at byte {start}")
            return
        header += file.read(header[26]) if len(header) == _HEADER else b""
        if len(header) < _HEADER or start + _page_length(header) > length:
            return
        body = file.read(_page_length(header) - len(header))
        stream, number = header[14:18], int.from_bytes(header[18:22], "little")
        if header[5] & _FIRST and body.startswith(_NO_VIDEO):
            others.add(stream)
        what = None
        if _check_sum(header[:22] + bytes(4) + header[26:] + body) != int.from_bytes(header[22:26], "little"):
            what = f"bytes {start} to {file.tell()} are damaged"
        elif not header[5] & _FIRST and stream in numbers and number != numbers[stream] + 1:
            what = f"pages are missing before byte {start}"
        if what is not None and stream not in others:
            yield Damage(what)
            return
        if what is not None:
            yield Damage(f"{what}, of another stream than the video", of_video=False)
        numbers[stream] = number


def _page_length(header: bytes) -> int:
    return _HEADER + header[26] + sum(header[_HEADER : _HEADER + header[26]])


def _check_sum(page: bytes) -> int:
    mirrored = zlib.crc32(page.translate(_MIRRORED), _NOT_INVERTED) ^ _NOT_INVERTED
    return int(f"{mirrored:032b}"[::-1], 2)
