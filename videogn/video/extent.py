"""How long a container says its file is: what shows that the end is missing where no list of the frames does."""

from __future__ import annotations

import io
from typing import BinaryIO

from videogn.video.matroska import segment_end
from videogn.video.source import Source, open_source

_TS_PACKET = 188
_OGG_PAGE = 27 + 255 + 255 * 255  # at most
_MPEG_PACK = b"\x00\x00\x01\xba"
_MPEG_PACK_MAX = 1 << 17  # bytes; usually 2048, and one of its packets has at most 65541


def is_cut(source: Source) -> bool:
    """Whether a file ends before its container does; False where the container does not say.

    Args:
        source: of `read_source`.
    """
    with open_source(source) as file:
        length = file.seek(0, io.SEEK_END)
        for measure in (_matroska, _riff, _transport, _program, _ogg, _flash, _boxes):
            file.seek(0)
            end = measure(file, length)
            if end is not None:
                return end > length
    return False


def _matroska(file: BinaryIO, length: int) -> int | None:
    """Matroska and WebM: one segment, of known or (streamed) unknown size."""
    return segment_end(file)


def _riff(file: BinaryIO, length: int) -> int | None:
    """AVI: the size of the first chunk. A file of over 1 GB has more chunks, and streamed ones say 0."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"AVI ":
        return None
    size = int.from_bytes(head[4:8], "little")
    return size + 8 if 0 < size < 0xFFFFFFFF else None


def _transport(file: BinaryIO, length: int) -> int | None:
    """MPEG-TS: packets of 188 bytes, the first of which is always the same."""
    head = file.read(3 * _TS_PACKET)
    if len(head) < 3 * _TS_PACKET or {head[at] for at in range(0, len(head), _TS_PACKET)} != {0x47}:
        return None
    return -(-length // _TS_PACKET) * _TS_PACKET


def _program(file: BinaryIO, length: int) -> int | None:
    """MPEG-PS: packs of packets, each of which tells its length; the last pack's are followed."""
    if file.read(4) != _MPEG_PACK:
        return None
    start = file.seek(max(0, length - _MPEG_PACK_MAX))
    tail = file.read()
    pack = tail.rfind(_MPEG_PACK)
    if pack < 0 or len(tail) < pack + 14:
        return None if pack < 0 else length + 1
    # An MPEG-2 header begins with the bits 01 and ends with stuffing; MPEG-1's has 12 bytes.
    position = pack + (14 + (tail[pack + 13] & 7) if tail[pack + 4] >> 6 == 1 else 12)
    while position < len(tail):
        head = tail[position : position + 6]
        if head[:4] == b"\x00\x00\x01\xb9":  # the end
            return start + position + 4
        if not b"\x00\x00\x01".startswith(head[:3]):  # damage, which is another matter
            return None
        position += 6 + int.from_bytes(head[4:6], "big")
    return start + position


def _ogg(file: BinaryIO, length: int) -> int | None:
    """Ogg: pages; the last one's header tells its length."""
    if file.read(4) != b"OggS":
        return None
    start = file.seek(max(0, length - _OGG_PAGE))
    tail = file.read()
    page = tail.rfind(b"OggS")
    header = tail[page : page + 27]
    if page < 0 or len(header) < 27:
        return length + 1
    sizes = tail[page + 27 : page + 27 + header[26]]
    return start + page + 27 + header[26] + sum(sizes)


def _flash(file: BinaryIO, length: int) -> int | None:
    """FLV: one tag after the other, each followed by its length."""
    head = file.read(9)
    if head[:3] != b"FLV" or len(head) < 9:
        return None
    position = int.from_bytes(head[5:9], "big") + 4
    while position < length:
        file.seek(position)
        tag = file.read(4)
        if tag[0] & 31 not in (8, 9, 18):  # no sound, video or script: damage, which is another matter
            return None
        position += 11 + int.from_bytes(tag[1:], "big") + 4
    return position


def _boxes(file: BinaryIO, length: int) -> int | None:
    """mp4 and mov: one box after the other, the last one to the end."""
    head = file.read(8)
    if head[4:] not in (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide"):
        return None
    position = 0
    while position < length:
        file.seek(position)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size == 0:  # up to the end
            return length
        if size < 8:  # no box: rubbish after the last one
            return None
        position += size
    return position
