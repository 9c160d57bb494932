"""GIF: blocks, each announced by a byte, and a trailer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from videogn.video.integrity import Damage

_EXTENSION, _IMAGE, _TRAILER = b"!,;"


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the trailer. Without one, the end lies beyond the file."""
    data = file.read() if file.read(3) == b"GIF" else b""
    if not data:
        return None
    position, announced = _walk(b"GIF" + data)
    return length + 1 if announced is None else position


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: an unknown byte stands where a block is announced."""
    if file.read(3) != b"GIF":
        return
    position, announced = _walk(b"GIF" + file.read())
    if announced not in (None, _TRAILER):
        yield Damage(f"the container is damaged at byte {position}")


def _walk(data: bytes) -> tuple[int, int | None]:
    """Follow the blocks to the trailer or an unknown byte: its position, and the byte; None at the end of the data."""
    position = 13 + _colours(data[10]) if len(data) > 12 else len(data)
    while position < len(data):
        if data[position] == _EXTENSION:
            position += 2
        elif data[position] == _IMAGE:
            flags = data[position + 9] if position + 9 < len(data) else 0
            position += 11 + _colours(flags)
        else:
            return position, data[position]
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    return position, None


def _colours(flags: int) -> int:
    """Size of a colour table in bytes."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0
