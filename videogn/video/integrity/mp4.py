"""mp4 and mov: one box after the other, the last one to the end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from videogn.video.integrity import Damage

_FIRST = (b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide")
_KNOWN = frozenset((*_FIRST, b"moof", b"sidx", b"ssix", b"mfra", b"meta", b"uuid", b"emsg", b"prft", b"pnot", b"udta"))
_BLOCK = 1 << 20


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the end of the last box."""
    position, _, is_box = _walk(file, length)
    return position if is_box else None


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: a fragment is not followed by a box.

    A file without fragments lists its frames in one place, and data after its boxes do not matter.
    """
    position, fragmented, is_box = _walk(file, length)
    if is_box or position is None or not fragmented:
        return
    file.seek(position)
    while block := file.read(_BLOCK):
        if block.count(0) < len(block):  # no padding
            yield Damage(f"the container is damaged at byte {position}")
            return


def _walk(file: BinaryIO, length: int) -> tuple[int | None, bool, bool]:
    """Follow the boxes: position, whether there are fragments, and whether the file ends with a box and not garbage.

    The position is the end of the last box, or the beginning of the garbage; None for another format.
    """
    if file.read(8)[4:] not in _FIRST:
        return None, False, False
    position, fragmented = 0, False
    while position < length:
        file.seek(position)
        head = file.read(16)
        size, name = int.from_bytes(head[:4], "big"), head[4:8]
        fragmented = fragmented or name == b"moof"
        if size == 1:
            size = int.from_bytes(head[8:16], "big")
        if size == 0 and name in _KNOWN:  # up to the end
            return length, fragmented, True
        if size < 8 or (fragmented and name not in _KNOWN):
            return position, fragmented, False
        position += size
    return position, fragmented, True
