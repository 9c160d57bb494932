"""Matroska and WebM: nested elements, some with check sums.

VP8 and VP9 decode any bits without an error. FFmpeg's demuxer ignores the check sums and reads on after garbage.

A check sum covers a whole element, and a cluster holds sound and subtitles beside pictures. It tells the place of a
single wrong byte, and not that of more damage, which counts as the video's where it must be: in a cluster without other
streams. Elsewhere the decoder's word counts.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from videogn.video.integrity import Damage

_HEADER = 0x1A45DFA3
_SEGMENT = 0x18538067
_CLUSTER = 0x1F43B675
_TRACKS, _TRACK, _TRACK_NUMBER, _TRACK_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x83
_VIDEO = 1  # type of a track
_BLOCK_GROUP, _BLOCK, _SIMPLE_BLOCK = 0xA0, 0xA1, 0xA3
_PADDING = 0xEC
#: Elements that hold nothing of a frame. Some muxers leave wrong check sums in them.
_BESIDE = {
    0x114D9B74: "table of contents",
    0x1549A966: "title and length",
    0x1C53BB6B: "table of key frames",
    0x1043A770: "chapters",
    0x1254C367: "tags",
    0x1941A469: "attachments",
}
_CHECK_SUM = b"\xbf\x84"  # its number and its length
_SUMMED = 6  # bytes before the data that a check sum covers
#: CRC-32 of one byte, without inversion, and the byte by the first eight bits of that.
_STEPS = [zlib.crc32(bytes([byte])) ^ zlib.crc32(b"\0") for byte in range(256)]
_BYTES = {step >> 24: byte for byte, step in enumerate(_STEPS)}
_LONG = 1 << 20  # bytes
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


class _Part(NamedTuple):
    """A part of an element that no frame of the video depends on: bytes from `start` to `end`."""

    start: int
    end: int


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: elements do not nest, or a check sum is wrong."""
    told = end(file, length)
    others: frozenset[int] = frozenset()  # tracks that are no video
    while told is not None and (start := file.tell()) < min(told, length):
        name, size = _element(file, told)
        if size == _UNKNOWN and name == _CLUSTER:
            return
        if name is None or file.tell() + size > told:
            yield Damage(f"the container is damaged at byte {start}")
            return
        if file.tell() + size > length:  # cut short, which is no damage
            return
        data = file.read(size)
        others = _other_tracks(data) if name == _TRACKS else others
        found = _judge(name, data, others, f"bytes {start} to {file.tell()}")
        if found is not None:
            yield found
            if found.of_video:
                return


def _judge(name: int, data: bytes, others: frozenset[int], where: str) -> Damage | None:
    """What is broken in an element, if anything."""
    has_sum = data.startswith(_CHECK_SUM) and name != _PADDING
    wrong = zlib.crc32(memoryview(data)[_SUMMED:]) ^ int.from_bytes(data[2:_SUMMED], "little") if has_sum else 0
    if not wrong and (has_sum or name != _CLUSTER):
        return None
    if name in _BESIDE:
        return Damage(f"the check sum of its {_BESIDE[name]} is wrong ({where})", of_video=False)
    children = _children(data)
    if children is None:
        return Damage(f"{where} are damaged")
    if not wrong:
        return None
    parts = [part for child in children if (part := _beside(*child, others)) is not None]
    if _is_of_video(parts, len(data), wrong):
        return Damage(f"{where} are damaged")
    return Damage(f"the check sum of {where}, which are not all video, is wrong", of_video=False)


def _is_of_video(parts: list[_Part], length: int, wrong: int) -> bool:
    """Whether damage may lie elsewhere than in some parts of an element, as far as its check sum tells."""
    if wrong.bit_count() == 1:  # of the check sum itself
        return False
    at = wrong_byte(length - _SUMMED, wrong)
    if at is None:
        return not parts
    return not any(part.start <= at + _SUMMED < part.end for part in parts)


def wrong_byte(length: int, wrong: int) -> int | None:
    """Find the only wrong byte of data with a wrong CRC-32.

    The difference of the check sums is what the register of CRC-32 makes of the wrong bits in as many steps as there
    are bytes from them on. The steps are undone here, one by one. Of random differences, one in 2^32 / (255 x length)
    would pass for a wrong byte, so that in long data only a single bit counts.

    Args:
        length: Number of bytes.
        wrong: Exclusive or of the check sum and what it should be.

    Returns:
        Its place, or None if more than one byte is wrong.
    """
    possible = frozenset(range(1, 256)) if length < _LONG else frozenset(1 << bit for bit in range(8))
    for at in range(length - 1, -1, -1):
        byte = _BYTES[wrong >> 24]
        wrong = (wrong ^ _STEPS[byte]) << 8 | byte
        if wrong in possible:
            return at
    return None


def _other_tracks(data: bytes) -> frozenset[int]:
    """Numbers of the tracks that are no video, from the list of the tracks."""
    tracks = [dict(_values(content)) for name, _, content in _children(data) or () if name == _TRACK]
    return frozenset(track.get(_TRACK_NUMBER, 0) for track in tracks if track.get(_TRACK_TYPE) != _VIDEO)


def _values(data: bytes) -> Iterator[tuple[int, int]]:
    for name, _, content in _children(data) or ():
        yield name, int.from_bytes(content, "big")


def _beside(name: int, start: int, content: bytes, others: frozenset[int]) -> _Part | None:
    """The part of a cluster's or track list's child that belongs to other tracks than the video; None if it has none.

    A block's first bytes say whose it is, and so belong to the video.
    """
    if name == _TRACK:
        return None if dict(_values(content)).get(_TRACK_TYPE) == _VIDEO else _Part(start, start + len(content))
    blocks = [(name, 0, content)] if name == _SIMPLE_BLOCK else []
    if name == _BLOCK_GROUP:
        blocks = [child for child in _children(content) or () if child[0] == _BLOCK]
    for _, offset, block in blocks:
        track = _number(io.BytesIO(block))
        if track is not None and (track[0] ^ (1 << 7 * track[1])) in others:
            return _Part(start + offset + track[1] + 3, start + len(content))
    return None


def _children(data: bytes) -> list[tuple[int, int, bytes]] | None:
    """The elements within an element: number, start of the content, content; None if they do not fill it."""
    children = []
    file = io.BytesIO(data)
    while file.tell() < len(data):
        name, size = _element(file, len(data))
        if name is None or size == _UNKNOWN:
            return None
        children.append((name, file.tell(), file.read(size)))
    return children


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
