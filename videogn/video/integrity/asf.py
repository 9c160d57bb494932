"""ASF (WMV): a header with the number and the common size of the packets that follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from videogn.video.integrity import Damage

_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_HEADER_MAX = 1 << 20
_DATA_HEADER = 50
_BROADCAST = 1
#: First bytes of a packet with error correction data; all packets of a file have them, or none.
_CORRECTED = b"\x82\0\0"


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the end of the last packet."""
    start, number, size = _packets(file)
    return start + number * size if number else None


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: a packet does not begin like the first one."""
    first, number, size = _packets(file)
    for start in range(first, min(first + number * size, length - size + 1), size or 1):
        file.seek(start)
        if file.read(3) != _CORRECTED:
            if start != first:
                yield Damage(f"the container is damaged at byte {start}")
            return


def _packets(file: BinaryIO) -> tuple[int, int, int]:
    """Start of the packets, their number and their size; zeros for other formats and for streams of unknown length."""
    head = file.read(30)
    size = int.from_bytes(head[16:24], "little")
    if head[:16] != _HEADER or not 30 <= size <= _HEADER_MAX:
        return 0, 0, 0
    objects = file.read(size - 30)
    position = 0
    while position + 24 <= len(objects):
        length = int.from_bytes(objects[position + 16 : position + 24], "little")
        if objects[position : position + 16] == _FILE_PROPERTIES and position + 104 <= len(objects):
            count, flags, packet = (
                int.from_bytes(objects[position + at : position + at + width], "little")
                for at, width in ((56, 8), (88, 4), (92, 4))
            )
            known = count and packet and not flags & _BROADCAST
            return (size + _DATA_HEADER, count, packet) if known else (0, 0, 0)
        position += max(length, 24)
    return 0, 0, 0
