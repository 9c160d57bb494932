"""MPEG-TS: packets of 188 bytes that begin with the same byte, numbered from 0 to 15 in each stream.

In files that were joined, by `cat` or from the segments of a stream, the numbers jump and nothing is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from videogn.video.integrity import Damage

_SYNC = 0x47
_PACKET = 188
#: Size of a packet, and of the bytes before its sync byte: plain, and with a time stamp (Blu-ray).
_LAYOUTS = ((188, 0), (192, 4))
_PACKETS_READ = 1 << 15
_NO_PACKET = -1


def end(file: BinaryIO, length: int) -> int | None:
    """See `videogn.video.integrity`: the end of the last packet."""
    size, _ = _layout(file)
    return None if size == 0 else -(-length // size) * size


def damage(file: BinaryIO, length: int) -> Iterator[Damage]:
    """See `videogn.video.integrity`: a packet begins with another byte, is marked as damaged, or is missing."""
    size, before = _layout(file)
    if size == 0:
        return
    file.seek(0)
    position = 0
    marked_elsewhere = 0
    pictures = _PictureStream()
    while data := file.read(_PACKETS_READ * size):
        packets = np.frombuffer(data, np.uint8, len(data) // size * size).reshape(-1, size)[
            :, before : before + _PACKET
        ]
        marked = packets[:, 1] & 0x80 > 0
        elsewhere = marked & pictures.are_others(packets)
        marked_elsewhere += int(elsewhere.sum())
        lost = np.flatnonzero((packets[:, 0] != _SYNC) | (marked & ~elsewhere))
        if len(lost):
            yield Damage(f"the container is damaged at byte {position + int(lost[0]) * size}")
            return
        if (gap := pictures.gap(packets)) is not None:
            yield Damage(f"packets are missing before byte {position + gap * size}")
            return
        position += len(data)
    if marked_elsewhere:
        what = f"packets marked as damaged, of other streams than the video: {marked_elsewhere}"
        yield Damage(what, of_video=False)


def _layout(file: BinaryIO) -> tuple[int, int]:
    """Size of a packet, and of the bytes before its sync byte; zeros for another format."""
    head = file.read(3 * _LAYOUTS[-1][0])
    for size, before in _LAYOUTS:
        if len(head) >= 3 * size and {head[at] for at in range(before, 3 * size, size)} == {_SYNC}:
            return size, before
    return 0, 0


class _PictureStream:
    """Follows the packet numbers of the first video stream through the blocks of a file."""

    def __init__(self) -> None:
        self._stream = _NO_PACKET
        self._number = _NO_PACKET  # of its last packet with data
        self._table_since = False  # whether the list of the programs came after that one

    def are_others(self, packets: np.ndarray) -> np.ndarray:
        """Return which packets belong to streams other than the video and the list of the programs, bool (N,).

        Args:
            packets: The next packets, uint8 (N, 188).
        """
        streams = _streams(packets)
        if self._stream == _NO_PACKET:
            self._stream = _find_pictures(packets, streams)
        return (packets[:, 0] == _SYNC) & (streams != self._stream) & (streams != 0) & (self._stream != _NO_PACKET)

    def gap(self, packets: np.ndarray) -> int | None:
        """Return the index of the first packet before which others are missing, or None.

        Args:
            packets: Packets that follow those of the previous call, uint8 (N, 188), shown to `are_others` before.
        """
        streams = _streams(packets)
        tables = np.flatnonzero(streams == 0)
        own = np.flatnonzero((streams == self._stream) & (packets[:, 3] & 0x10 > 0))
        if not len(own):
            self._table_since = self._table_since or len(tables) > 0
            return None
        numbers = packets[own, 3] & 0xF
        last = np.append(numbers[0] if self._number == _NO_PACKET else self._number, numbers[:-1])
        # The same number twice is the same packet twice.
        jumps = np.flatnonzero((numbers != last) & (numbers != (last + 1) % 16))
        for jump in jumps.tolist():
            since = own[jump - 1] if jump else _NO_PACKET
            table = bool(np.any((tables > since) & (tables < own[jump]))) or (jump == 0 and self._table_since)
            if not _may_jump(packets[own[jump]], table):
                return int(own[jump])
        self._number = int(numbers[-1])
        self._table_since = bool(np.any(tables > own[-1]))
        return None


def _streams(packets: np.ndarray) -> np.ndarray:
    """Number of the stream of each packet, int64 (N,)."""
    return (packets[:, 1] & 0x1F).astype(np.int64) << 8 | packets[:, 2]


def _find_pictures(packets: np.ndarray, streams: np.ndarray) -> int:
    """The first stream whose data begin like those of a video stream."""
    begins = np.flatnonzero((packets[:, 1] & 0x40 > 0) & (packets[:, 3] & 0x10 > 0))
    for index in begins.tolist():
        packet = packets[index]
        start = 5 + int(packet[4]) if packet[3] & 0x20 else 4
        if bytes(packet[start : start + 3]) == b"\0\0\1" and start + 3 < len(packet) and packet[start + 3] >> 4 == 0xE:
            return int(streams[index])
    return _NO_PACKET


def _may_jump(packet: np.ndarray, table: bool) -> bool:
    """Whether a packet may follow a jump: it is marked so, or it starts data after a list of the programs."""
    says_so = packet[3] & 0x20 and packet[4] and packet[5] & 0x80
    return bool(says_so) or (table and bool(packet[1] & 0x40))
