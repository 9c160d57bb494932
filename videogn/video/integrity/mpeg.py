"""MPEG-PS: packs of packets, each with its length."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from videogn.video.integrity import Damage

_PACK = b"\x00\x00\x01\xba"
_PACK_MAX = 1 << 17  # bytes; usually 2048, and one of its packets has at most 65541


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the last pack's packets are followed."""
    if file.read(4) != _PACK:
        return None
    start = file.seek(max(0, length - _PACK_MAX))
    tail = file.read()
    pack = tail.rfind(_PACK)
    if pack < 0 or len(tail) < pack + 14:
        return None if pack < 0 else length + 1
    # An MPEG-2 header begins with the bits 01 and ends with stuffing; MPEG-1's has 12 bytes.
    position = pack + (14 + (tail[pack + 13] & 7) if tail[pack + 4] >> 6 == 1 else 12)
    while position < len(tail):
        head = tail[position : position + 6]
        if head[:4] == b"\x00\x00\x01\xb9":  # end code
            return start + position + 4
        if not b"\x00\x00\x01".startswith(head[:3]):  # damage, and no missing end
            return None
        position += 6 + int.from_bytes(head[4:6], "big")
    return start + position


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: never, because the decoders of MPEG-1 and MPEG-2 report missing pictures."""
    yield from ()
