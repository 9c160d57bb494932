"""Opening a video stream with PyAV and decoding it forward."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from videogn.video.errors import VideoDecodeError, explain, reading
from videogn.video.storage import Source, read_source

#: An open container and its video stream; see `open_stream`.
OpenStream = tuple[InputContainer, VideoStream]


# Titles in unknown encodings do not matter here. PyAV up to version 18 raises an error for them unless told not to.
_OPEN_OPTIONS: dict[str, Any] = {"metadata_errors": "ignore"} if int(av.__version__.split(".")[0]) < 19 else {}


# Formats that are lists of other files, or programs that make pictures: a text file would pass for another video.
_REFERRING = frozenset(
    "concat dash hls hls,applehttp imf lavfi rtp rtsp sap sdp avisynth vapoursynth webm_dash_manifest".split()  # noqa: SIM905
)
_DEMUXER_OPTIONS = {"format_whitelist": ",".join(sorted(av.formats_available - _REFERRING))}

# Damage is an error and is not concealed: the decoder would make up pictures for the lost ones. No undamaged file was
# found that fails with these options.
_DECODER_OPTIONS = {"err_detect": "crccheck+explode"}


_PREDICTED = (PictureType.P, PictureType.B, PictureType.S)


class _NamedBytes(io.BytesIO):
    """Bytes with a name: formats without a signature are recognised by its suffix."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name


@contextmanager
def open_stream(path: str | os.PathLike[str], source: Source | None = None) -> Iterator[OpenStream]:
    """Open a file's best video stream for decoding in one thread.

    Args:
        path: File, member of a tar shard, or URL of either.
        source: Result of `read_source` for this path. Default: it is called.

    Yields:
        The container and its video stream; both are closed on leaving.

    Raises:
        VideoDecodeError: If the file is missing, empty, not a video, or has no video stream or no decoder for it.
    """
    source = read_source(path) if source is None else source
    file = source if isinstance(source, str) else _NamedBytes(source, str(path))
    try:
        container = av.open(file, options=_DEMUXER_OPTIONS, **_OPEN_OPTIONS)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise VideoDecodeError(path, f"not a readable video ({explain(error)})") from error
    with container:
        with reading(path):
            stream = _video_stream(path, container)
        yield container, stream


def _video_stream(path: str | os.PathLike[str], container: InputContainer) -> VideoStream:
    """The best video stream, set up for decoding."""
    stream: Any = container.streams.best("video")
    if stream is None or stream.disposition & av.stream.Disposition.attached_pic:
        raise VideoDecodeError(path, "no video stream")
    if stream.codec_context is None:
        raise VideoDecodeError(path, "no decoder for its video stream")
    if stream.codec_context.name == "ansi":  # any file named .txt
        raise VideoDecodeError(path, "not a readable video (plain text)")
    # Frame threads can deadlock when decoding stops early.
    stream.thread_type = "SLICE"
    stream.codec_context.thread_count = 1
    stream.codec_context.options = _DECODER_OPTIONS
    return stream


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet]:
    """Yield the packets of a stream from the container's position on. The last one is empty and drains the decoder.

    Empty packets before it (repeated frames of Theora) would drain the decoder too soon, and are left out.

    Args:
        container: Container from `open_stream`.
        stream: Stream from `open_stream`.
    """
    demuxed = container.demux(stream)
    while True:
        try:
            packet = next(demuxed)
        except StopIteration:
            return
        except IndexError:  # a stream that appeared after PyAV listed them (MPEG-TS); it goes on with the next packet
            demuxed = container.demux(stream)
            continue
        if packet.size or packet.dts is None:
            yield packet


def from_key_frame(
    demuxed: Iterator[Packet], key_pts: int | None = None, *, unmarked: bool = False, leaving_out: int = 0
) -> Iterator[Packet]:
    """Yield the packets from a key frame on: decoders make up pictures from those before it.

    Args:
        demuxed: Packets from `packets`.
        key_pts: Time stamp of the key frame. Default: the first key frame.
        unmarked: Whether no packet is marked as a key frame, so that the first packet is the one to start at.
        leaving_out: Number of packets after the key frame that are left out; see `videogn.video.decoders.leading`.
    """
    started, left_out = unmarked, 0
    for packet in demuxed:
        if packet.size and not started:
            started = packet.is_keyframe and key_pts in (None, packet.pts)
        elif packet.size and left_out < leaving_out:
            left_out += 1
            continue
        if started:
            yield packet


def pictures(
    container: InputContainer,
    stream: VideoStream,
    key_pts: int | None = None,
    *,
    unmarked: bool = False,
    leaving_out: int = 0,
    unneeded: Callable[[Packet], bool] = lambda packet: False,
) -> Generator[VideoFrame, None, None]:
    """Decode from the container's position on. If decoding fails, the pictures finished before are yielded first.

    Args:
        container: Container from `open_stream`.
        stream: Stream from `open_stream`.
        key_pts: See `from_key_frame`; so are the others.
        unmarked: Whether no packet is marked as a key frame.
        leaving_out: Number of packets after the key frame that are left out.
        unneeded: Whether a packet is passed over; see `videogn.video.decoders.unneeded`. Default: none is.

    Yields:
        Pictures in the order of display, without those that an edit list hides.

    Raises:
        av.error.FFmpegError: If a packet cannot be read or decoded.
    """
    try:
        demuxed = packets(container, stream)
        for packet in from_key_frame(demuxed, key_pts, unmarked=unmarked, leaving_out=leaving_out):
            if not unneeded(packet):
                yield from packet.decode()
    except av.error.FFmpegError:
        yield from flush(stream)
        raise


def is_intra(picture: VideoFrame) -> bool:
    """Return whether a picture is decoded without others, according to its decoder."""
    return picture.key_frame or picture.pict_type not in _PREDICTED


def flush(stream: VideoStream) -> list[VideoFrame]:
    """Return the pictures that a decoder still holds, or none if it fails."""
    try:
        return stream.decode(None)
    except av.error.FFmpegError:
        return []
