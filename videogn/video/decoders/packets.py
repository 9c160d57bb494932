"""Facts of compressed packets, without decoding them, and whether decord decodes a file of such packets correctly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from av.container import InputContainer
from av.packet import Packet as RawPacket
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

# Containers and codecs in which decord's frames were found equal to PyAV's. decord seeks wrongly in avi, flv, mpeg and
# mpegts, and opens no gif.
_DECORD_CONTAINERS = ("mp4", "matroska")
_DECORD_CODECS = frozenset({"h264", "hevc", "mpeg4", "vp8", "vp9"})


_AFTER_START_CODE = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)

#: Of the first byte of a unit (NAL unit) of H.264, the bits of its type.
_TYPE = 31
_IDR_SLICE = 5
#: First byte of a slice of a picture that no other picture is predicted from: nal_ref_idc 0, nal_unit_type 1.
_SLICE_OF_NON_REFERENCE = 1
#: First bytes of units beside such slices that concern their picture alone: SEI, delimiter, filler.
_BESIDE = frozenset({6, 9, 12})


class Packet(NamedTuple):
    """A packet of a video stream.

    Attributes:
        pts: Presentation time stamp in stream ticks, or None if the container has none.
        dts: Decoding time stamp in stream ticks, or None if the container has none.
        key: Whether the packet is marked as a key frame.
        start: Whether all frames displayed from it on can be decoded exactly without earlier packets.
        hidden: Whether an edit list or an encoder's cut hides its picture.
        invisible: Whether it is a reference picture that is never displayed (VP8).
    """

    pts: int | None
    dts: int | None
    key: bool
    start: bool
    hidden: bool
    invisible: bool


class Survey(NamedTuple):
    """What the packets of a file, and its first picture, tell of its frames. An index keeps it as text, see `survey`.

    Attributes:
        frames: Number of frames, those that were lost at the end included.
        readable: Number of frames that are in the file.
        pts: Time stamps, int64 (readable,), or None.
        keyframes: Indices of the frames at which decoding can start, int64.
        size: Height and width of the coded picture.
        rotation: Anticlockwise rotation for display, in degrees.
        decord_risk: Reason, or None.
        colour_risk: Reason, or None.
        unmarked: Whether no packet is marked as a key frame.
        leaving_out: Number of packets that a decoder must not be given.
    """

    frames: int
    readable: int
    pts: np.ndarray | None
    keyframes: np.ndarray
    size: tuple[int, int]
    rotation: int
    decord_risk: str | None
    colour_risk: str | None
    unmarked: bool = False
    leaving_out: int = 0


def summarise(packet: RawPacket, codec: str, extradata: bytes) -> Packet:
    """Summarise a packet.

    Args:
        packet: Packet from a demuxer, not empty.
        codec: FFmpeg's name of the stream's decoder.
        extradata: Codec configuration of the stream, which tells the framing of H.264.

    Returns:
        The summary; it keeps no reference to `packet`.
    """
    key = packet.is_keyframe
    return Packet(
        pts=packet.pts,
        dts=packet.dts,
        key=key,
        start=key and (codec != "h264" or has_idr(bytes(packet), extradata)),
        hidden=packet.is_discard,
        # VP8's frame tag, first byte: bit 0 key frame, bits 1-3 version, bit 4 show_frame.
        invisible=codec == "vp8" and not bytes(packet)[0] & 0x10,
    )


def has_idr(data: bytes, extradata: bytes) -> bool:
    """Return whether a packet holds an IDR slice.

    Key frames without one are recovery points: with intra refresh, later pictures take a while to become exact.

    Args:
        data: Content of the packet.
        extradata: Codec configuration of the stream, which tells the framing.
    """
    return any(header & _TYPE == _IDR_SLICE for header in _headers(data, extradata))


def is_non_reference(data: bytes, extradata: bytes) -> bool:
    """Return whether a decoder that is not given a packet decodes all others as before.

    So it is if the packet consists of slices of a non-reference picture: no other is predicted from that, and neither
    frame numbers nor picture order counts go on with it (ITU-T H.264, 7.4.1 and 8.2.1).

    Args:
        data: Content of the packet.
        extradata: Codec configuration of the stream, which tells the framing.
    """
    headers = set(_headers(data, extradata))
    return _SLICE_OF_NON_REFERENCE in headers and headers <= _BESIDE | {_SLICE_OF_NON_REFERENCE}


def _headers(data: bytes, extradata: bytes) -> Iterator[int]:
    """The first byte of every unit; -1 at the end if the last one does not end with the packet."""
    if len(extradata) < 7 or extradata[0] != 1:
        yield from (found[1][0] for found in _AFTER_START_CODE.finditer(data))
        return
    length_bytes = (extradata[4] & 3) + 1
    position = 0
    while position + length_bytes < len(data):
        length = int.from_bytes(data[position : position + length_bytes], "big")
        yield data[position + length_bytes]
        position += length_bytes + length
    if position != len(data):
        yield -1


def _is_open_gop(packets: Sequence[Packet]) -> bool:
    """Whether a packet that comes after a key frame is displayed before it."""
    key_pts = None
    for packet in packets:
        if packet.key:
            key_pts = packet.pts
        elif key_pts is not None and packet.pts is not None and packet.pts < key_pts:
            return True
    return False


def decord_width_fails(width: int) -> bool:
    """Return whether decord 0.6 mistakes the padding of its rows for further colour channels (widths 16, 48, 72, ...).

    Its rows are padded to 32 pixels, and it computes the number of channels as bytes of a row // width.
    """
    row = 3 * -(-width // 32) * 32
    return row % width == 0 and row != 3 * width


def colour_risk(picture: VideoFrame) -> str | None:
    """Return why decoders convert such pictures to RGB differently, by up to 85 levels, or None.

    Args:
        picture: First picture of a stream.
    """
    pixels = picture.format
    half_height = any(component.height < picture.height for component in pixels.components)
    checks = (
        (any(component.bits > 8 for component in pixels.components), f"more than 8 bits ({pixels.name})"),
        (picture.height % 2 == 1 and half_height, "odd height"),
        (picture.interlaced_frame, "interlaced pictures"),
    )
    return next((reason for holds, reason in checks if holds), None)


def decord_risk(
    container: InputContainer, stream: VideoStream, packets: Sequence[Packet], picture: VideoFrame, width: int
) -> str | None:
    """Return why decord 0.6 (FFmpeg 4.1) would fail or give other frames or colours. Each reason occurred in a file.

    Args:
        container: Open container.
        stream: Its best video stream.
        packets: Packets of the stream in decoding order.
        picture: First picture of the stream.
        width: Width of the upright picture in pixels.

    Returns:
        The first reason that holds, or None.
    """
    formats, codec, colours = container.format.name, stream.codec_context.name, colour_risk(picture)
    checks = (
        (not any(name in formats for name in _DECORD_CONTAINERS), f"container {formats}"),
        ("mp4" in formats and not stream.frames, "fragmented mp4"),
        (codec not in _DECORD_CODECS, f"codec {codec}"),
        (len(container.streams.video) > 1, "several video streams"),
        (any(packet.hidden for packet in packets), "an edit list hides frames"),
        (any(packet.invisible for packet in packets), "it holds frames that are never displayed"),
        (any(packet.key and not packet.start for packet in packets), "key frames that are only recovery points"),
        (_is_open_gop(packets), "open groups of pictures"),
        (colours is not None, str(colours)),
        (decord_width_fails(width), f"width {width}"),
    )
    return next((reason for holds, reason in checks if holds), None)
