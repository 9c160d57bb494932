"""Decoding of a whole video file, to learn which of its frames are intact."""

from __future__ import annotations

import math
import time

import av.error
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.stream import flush, from_key_frame, open_stream, packets
from videogn.video.errors import explain


class DecodedFile:
    """Result of decoding a whole file.

    After damage no picture counts as intact until the next key frame, because it may depend on the damaged one.

    Attributes:
        whole: Indices of the intact frames.
        problem: First problem met, or None.
        fails_at_end: Whether only the last packet failed.
        unfinished: Whether the time was up before the last packet.
    """

    def __init__(self, table: FrameTable, deadline: float = math.inf) -> None:
        self.whole: set[int] = set()
        self.problem: str | None = None
        self.fails_at_end = False
        self.unfinished = False
        self._table = table
        self._starts = frozenset(table.keyframes.tolist())
        self._trusted = True
        self._count = 0
        with open_stream(table.path, table.source) as (container, stream):
            try:
                waiting = False
                sent = from_key_frame(
                    packets(container, stream), unmarked=table.unmarked, leaving_out=table.leaving_out
                )
                for packet in sent:
                    if time.monotonic() > deadline:
                        self.unfinished = True
                        return
                    if packet.size:
                        self.fails_at_end = False
                        waiting = waiting and not packet.is_keyframe
                    if not waiting:
                        waiting = self._fails(packet, stream)
            except av.error.FFmpegError as error:
                self._note(explain(error))
                self._take(flush(stream))

    def _fails(self, packet: Packet, stream: VideoStream) -> bool:
        """Decode a packet. Returns whether it failed, so that decoding has to wait for a key frame."""
        try:
            self._take(packet.decode())
        except av.error.FFmpegError as error:
            self._note(explain(error))
            self._take(flush(stream))
            stream.codec_context.flush_buffers()
            self._trusted = True
            return True
        return False

    def _note(self, problem: str) -> None:
        if self.problem is None:
            self.problem = problem
            self.fails_at_end = True

    def _take(self, pictures: list[VideoFrame]) -> None:
        for picture in pictures:
            number = self._number(picture)
            self._count += 1
            if picture.is_corrupt:
                self._trusted = False
                self._note("its data are damaged")
            elif number in self._starts:
                self._trusted = True
            if self._trusted and number is not None:
                self.whole.add(number)

    def _number(self, picture: VideoFrame) -> int | None:
        """Index of a picture; None if the frame table does not have it."""
        if self._table.pts is None:
            return self._count if self._count < self._table.readable else None
        return self._table.index_of(picture.pts)
