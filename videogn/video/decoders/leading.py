"""Leading pictures: those that are stored after the first key frame and displayed before it.

A stream that was cut from a longer one may begin with them. In a closed group of pictures they need nothing but the key
frame (HEVC and VVC call them RADL pictures) and are frames like any others. In an open one they were predicted from
pictures that are not there. Containers do not tell the two apart, but decoders do: they give no picture, or an error.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

import av.error

from videogn.video.decoders.packets import Packet
from videogn.video.decoders.stream import flush, from_key_frame, open_stream, packets
from videogn.video.storage import Source


class Leading(NamedTuple):
    """Leading pictures of a stream.

    Attributes:
        pts: Time stamps of those that can be decoded.
        undecodable: Number of packets after the first key frame that a decoder must not be given, because it fails.
    """

    pts: frozenset[int | None] = frozenset()
    undecodable: int = 0


def leading_packets(listed: Sequence[Packet], container: str) -> int:
    """Count the packets after the first one whose pictures are displayed before it.

    Args:
        listed: Packets in decoding order, from the first key frame on.
        container: FFmpeg's name of the container format. In Matroska times below zero are lost.

    Returns:
        The number of packets, which follow one another.
    """
    first = listed[0].pts if listed else None
    if first is None:
        return 0
    timeless = "matroska" in container

    def leads(packet: Packet) -> bool:
        return timeless if packet.pts is None else packet.pts < first

    return sum(1 for _ in takewhile(leads, listed[1:]))


def read_leading(
    path: str | os.PathLike[str], source: Source, listed: Sequence[Packet], container: str, *, unmarked: bool
) -> Leading:
    """Find out which leading pictures of a file can be decoded, by decoding them. Most files have none.

    Args:
        path: File, for error messages.
        source: Result of `read_source`.
        listed: Packets in decoding order, from the first key frame on.
        container: FFmpeg's name of the container format.
        unmarked: Whether no packet is marked as a key frame.
    """
    count = leading_packets(listed, container)
    if not count:
        return Leading()
    if not listed[0].start:  # H.264 that begins with a recovery point: its decoder may give what it made up
        return Leading(undecodable=count)
    decoded = []
    with open_stream(path, source) as (opened, stream):
        sent = from_key_frame(packets(opened, stream), unmarked=unmarked)
        try:
            for _, packet in zip(range(count + 1), sent, strict=False):
                decoded += packet.decode()
        except av.error.FFmpegError:
            return Leading(undecodable=count)
        decoded += flush(stream)
    return Leading(frozenset(picture.pts for picture in decoded if not picture.is_corrupt))
