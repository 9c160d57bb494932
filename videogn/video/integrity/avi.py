"""AVI: RIFF chunks, with pictures and sound in lists."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from videogn.video.integrity import Damage

_LISTS = (b"movi", b"rec ")  # lists with pictures; the others do not matter
_PRINTABLE = frozenset(range(0x20, 0x7F))


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the size of the first chunk.

    A file of over 1 GB has more such chunks, and streamed ones say 0.
    """
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"AVI ":
        return None
    size = int.from_bytes(head[4:8], "little")
    return size + 8 if 0 < size < 0xFFFFFFFF else None


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: a chunk is not followed by another one."""
    told = end(file, length)
    file.seek(0)
    if file.read(12)[8:] != b"AVI ":
        return
    position, padded = 12, False
    while position + 12 <= length:
        file.seek(position)
        head = file.read(12)
        if padded and not _is_name(head[:4]):  # some muxers leave the padding out
            file.seek(position - 1)
            head = file.read(12)
            position -= _is_name(head[:4])
        if not _is_name(head[:4]):
            if told is None or position < told:  # beyond it more chunks may follow, but need not
                yield Damage(f"the container is damaged at byte {position}")
            return
        size = int.from_bytes(head[4:8], "little")
        padded = False
        if head[:4] == b"RIFF" or (head[:4] == b"LIST" and head[8:] in _LISTS):
            position += 12
        else:
            padded = size % 2 == 1
            position += 8 + size + padded


def _is_name(name: bytes) -> bool:
    return _PRINTABLE.issuperset(name)
