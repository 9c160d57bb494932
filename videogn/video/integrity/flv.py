"""FLV: one tag after the other, each followed by its length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from videogn.video.integrity import Damage

_TAG_HEADER = 11
_KINDS = (8, 9, 18)  # sound, video, script


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the end of the last tag."""
    position, broken = _walk(file, length)
    return None if broken else position


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: a tag is followed neither by its length nor by another tag."""
    position, broken = _walk(file, length)
    if broken:
        yield Damage(f"the container is damaged at byte {position}")


def _walk(file: BinaryIO, length: int) -> tuple[int | None, bool]:
    """Follow the tags: the position after the last one, None for another format, and whether the chain breaks there."""
    head = file.read(9)
    if head[:3] != b"FLV" or len(head) < 9:
        return None, False
    position = int.from_bytes(head[5:9], "big") + 4
    while position < length:
        file.seek(position)
        tag = file.read(4)
        if tag[0] & 31 not in _KINDS:
            return position, True
        size = int.from_bytes(tag[1:], "big")
        position += _TAG_HEADER + size
        file.seek(position)
        told = file.read(4)
        position += 4
        # Some muxers leave out the header, or a byte of it; FFmpeg's demuxer allows that too.
        if len(told) == 4 and int.from_bytes(told, "big") not in (size, size + _TAG_HEADER - 1, size + _TAG_HEADER):
            return position - 4, True
    return position, False
