"""Packets that need not be decoded: pictures that are not wanted, and that no other picture is predicted from."""

from __future__ import annotations

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream

from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.packets import is_non_reference


class Unneeded:
    """Tells a reader which packets to pass over while it decodes towards the wanted frames.

    Only where a full check has decoded every frame of the file before: otherwise damage of the pictures that are passed
    over would go unnoticed.

    Args:
        table: Frame table of the file.
        stream: Its video stream.

    Attributes:
        active: Whether packets are passed over at all.
    """

    def __init__(self, table: FrameTable, stream: VideoStream) -> None:
        self.active = table.known_intact and table.pts is not None and table.info.codec == "h264"
        self._table = table
        self._extradata = bytes(stream.codec_context.extradata or b"")
        self._wanted: frozenset[int] = frozenset()
        self._last: int | None = None  # time stamp of the last wanted frame

    def want(self, indices: np.ndarray) -> None:
        """Say which frames are wanted, int64 (N,), increasing. Those after the last of them may be wanted later."""
        if self.active:
            assert self._table.pts is not None
            stamps = self._table.pts[indices[indices < self._table.readable]].tolist()
            self._wanted, self._last = frozenset(stamps), max(stamps, default=None)

    def __call__(self, packet: Packet) -> bool:
        """Return whether a packet is passed over."""
        if not self.active or self._last is None or packet.pts is None:
            return False
        if packet.pts >= self._last or packet.pts in self._wanted:
            return False
        return is_non_reference(bytes(packet), self._extradata)
