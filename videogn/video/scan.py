"""What a video file holds, found by reading its packets once without decoding more than the first picture.

The scan gives every frame a number, in the order of display, and its exact time stamp. It also says when decord must
not be used: decord counts packets and seeks by its own rules, which on some files silently gives a neighbouring frame.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

import av.error
import numpy as np

from videogn.video.errors import VideoDecodeError, explain
from videogn.video.extent import is_cut
from videogn.video.packets import Packet, colour_risk, decord_risk, summarise
from videogn.video.source import Source, read_source
from videogn.video.stream import flush, open_stream, packets, pictures

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet as RawPacket
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from videogn.video.stream import OpenStream

__all__ = ["VideoInfo", "VideoScan", "open_scanned", "scan"]

_DEFAULT_FPS = 30.0


@dataclass(frozen=True)
class VideoInfo:
    """What a video is before it is decoded.

    Attributes:
        frames: number of frames.
        fps: mean frames per second.
        height: as displayed, pixels.
        width: as displayed, pixels.
    """

    frames: int
    fps: float
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class VideoScan:
    """The frames of one video file.

    Attributes:
        path: the file.
        stream: number of the video stream in the container.
        frames: how many frames the file holds, hidden ones (edit lists) not counted.
        readable: how many of them, from the first on, are there; fewer than `frames` where the file is cut short.
        pts: int64 (readable,), the frames' time stamps in stream ticks, rising; None where they say nothing, and frames
            must be counted from the start of the file.
        time_base: seconds of a tick.
        keyframes: int64, the frames at which decoding can start; empty where `pts` is None.
        codec: FFmpeg's name of its decoder.
        fps: mean frames per second.
        height: of the coded picture, pixels, before rotation.
        width: of the coded picture, pixels, before rotation.
        rotation: by how many degrees (0, 90, 180 or 270) the picture is to be turned anticlockwise for display.
        decord_risk: why decord would fail or give wrong frames on this file, or None.
        colour_risk: why other decoders than PyAV would give other colours, or None.
        source: the file, or the bytes of what is no file, for a decoder to open.
    """

    path: str
    stream: int
    frames: int
    readable: int
    pts: np.ndarray | None
    time_base: Fraction
    keyframes: np.ndarray
    codec: str
    fps: float
    height: int
    width: int
    rotation: int
    decord_risk: str | None
    colour_risk: str | None
    source: Source = field(repr=False)

    @property
    def info(self) -> VideoInfo:
        """The facts as seen by a viewer: the size is that after rotation."""
        turned = self.rotation % 180 != 0
        height, width = (self.width, self.height) if turned else (self.height, self.width)
        return VideoInfo(self.frames, self.fps, height, width)


class _Survey:
    """Reads all packets of a stream, from the first key frame on, and decodes until the first picture."""

    def __init__(self, container: InputContainer, stream: VideoStream, source: Source) -> None:
        self.packets: list[Packet] = []
        self.skipped = 0
        self.picture: VideoFrame | None = None
        self.problem = "no frame can be decoded"
        self.cut = False
        self.ends_early = False  # be it that no frame is lost by it
        self._stream = stream
        self._codec = stream.codec_context.name
        self._extradata = bytes(stream.codec_context.extradata or b"")
        last_is_partial = False
        try:
            for packet in packets(container, stream):
                last_is_partial = packet.is_corrupt if packet.size else last_is_partial
                self._add(packet)
        except av.error.FFmpegError:
            self.cut = True
        if last_is_partial and self.packets:
            self.packets.pop()
            self.cut = True
        self.missing = self._missing(container, stream, source)
        self.cut = self.cut or self.missing > 0

    def _add(self, packet: RawPacket) -> None:
        if packet.size and not self.packets and not packet.is_keyframe:
            self.skipped += 1
            return
        if packet.size:
            self.packets.append(summarise(packet, self._codec, self._extradata))
        if self.picture is None and self.packets:
            try:
                if len(self.packets) == 1:
                    self.picture = self._alone(packet)
                if self.picture is None:
                    self.picture = next(iter(packet.decode()), None)
            except av.error.FFmpegError as error:
                self.problem = f"no frame can be decoded ({explain(error)})"

    def _alone(self, packet: RawPacket) -> VideoFrame | None:
        """The picture of the first packet without those after it, for which a decoder that reorders would wait."""
        decoded = packet.decode() or flush(self._stream)
        self._stream.codec_context.flush_buffers()
        return next(iter(decoded), None)

    def _missing(self, container: InputContainer, stream: VideoStream, source: Source) -> int:
        """How many packets lie beyond the end of the file: as an mp4 lists them, or else from the times."""
        if stream.frames and "mp4" in container.format.name:
            return max(int(self.cut), len(stream.index_entries) - len(self.packets) - self.skipped)
        self.ends_early = is_cut(source)
        if not self.ends_early:
            return int(self.cut)
        if container.format.name in ("mpegts", "mpeg") and not self.cut and self.packets:
            self.packets.pop()  # what there is of it; the demuxer does not know
        if "matroska" not in container.format.name or (told := _told_end(container, stream)) is None:
            return max(1, len(getattr(stream, "index_entries", ())) - len(self.packets) - self.skipped)
        ends = [float((packet.pts or 0) * stream.time_base) for packet in self.packets if stream.time_base]
        return max(int(self.cut), round((told - max(ends, default=0.0)) * _rate(stream, None)) - 1)

    def decord_risk(self, timed: bool) -> str | None:
        """Why decord would miscount the frames, or None."""
        if self.cut or self.ends_early:
            return "the file is cut short"
        if self.skipped:
            return "it does not start on a key frame"
        return None if timed else "time stamps do not tell its frames apart"

    def shown(self) -> list[Packet]:
        """The packets whose pictures are displayed."""
        return [packet for packet in self.packets if not (packet.hidden or packet.invisible)]

    def pts(self) -> np.ndarray | None:
        """Time stamps of the frames that can be decoded, int64, rising; None if they do not identify the frames."""
        stamps = [packet.pts for packet in self.shown()]
        first = self.packets[0].pts
        if first is None or None in stamps or len(set(stamps)) < len(stamps):
            return None
        # Frames displayed before the first key frame refer to what is not there.
        pts = np.sort(np.array(stamps, np.int64))
        pts = pts[pts >= first]
        # Nothing is decoded after it is displayed: up to the last decoding time, no frame can be among the lost ones.
        last = self.packets[-1].dts
        return pts[pts <= last] if self.cut and last is not None else pts


def _starts(packets: list[Packet], pts: np.ndarray | None) -> np.ndarray:
    """Numbers of the frames at which decoding can start, int64, rising."""
    if pts is None:
        return np.empty(0, np.int64)
    starts = np.array([packet.pts for packet in packets if packet.start and packet.pts is not None], np.int64)
    return np.flatnonzero(np.isin(pts, starts)).astype(np.int64)


def _decode_all(path: str | os.PathLike[str], source: Source) -> tuple[np.ndarray | None, int, bool]:
    """Decode the whole file: the pictures' time stamps (None if useless), their number, and whether it failed."""
    stamps: list[int | None] = []
    failed = False
    with open_stream(path, source) as (container, stream):
        try:
            stamps.extend(picture.pts for picture in pictures(container, stream))
        except av.error.FFmpegError:
            failed = True
    known = [stamp for stamp in stamps if stamp is not None]
    rising = len(known) == len(stamps) and all(a < b for a, b in itertools.pairwise(known))
    return (np.array(known, np.int64) if rising else None), len(stamps), failed


def _count(
    path: str | os.PathLike[str], source: Source, survey: _Survey, pts: np.ndarray | None
) -> tuple[np.ndarray | None, int, int]:
    """Time stamps, number of readable frames and number of frames, from the packets or else by decoding them all."""
    if pts is not None:
        readable = len(pts)
        frames = len(survey.shown()) + survey.missing if survey.cut else readable
    else:
        pts, readable, failed = _decode_all(path, source)
        frames = max(readable, len(survey.shown())) if failed else readable
    if not readable:
        raise VideoDecodeError(path, "no frame can be decoded")
    return pts, readable, frames


def _told_end(container: InputContainer, stream: VideoStream) -> float | None:
    """When Matroska says that its video, or else the longest of its streams, ends; seconds."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return container.duration / 1_000_000 if container.duration else None


def _rate(stream: VideoStream, pts: np.ndarray | None) -> float:
    """Mean frames per second: as the container says, or from the time stamps, or the usual 30."""
    if rate := stream.average_rate or stream.guessed_rate:
        return float(rate)
    if pts is not None and len(pts) > 1 and stream.time_base:
        return float((len(pts) - 1) / ((pts[-1] - pts[0]) * stream.time_base))
    return _DEFAULT_FPS


def scan(path: str | os.PathLike[str]) -> VideoScan:
    """Find out which frames a video file holds; see `open_scanned`. Nothing stays open."""
    with open_scanned(path) as (found, _):
        return found


@contextmanager
def open_scanned(path: str | os.PathLike[str]) -> Iterator[tuple[VideoScan, OpenStream]]:
    """Open a video file and find out which frames it holds.

    Reads the packets once. Only files whose time stamps are missing, repeated or (avi) made up are decoded, to count.

    Args:
        path: the file.

    Yields:
        The scan, and the stream that it was made of, somewhere in the file.

    Raises:
        VideoDecodeError: the file cannot be opened, or not one picture of it can be decoded.
    """
    source = read_source(path)
    with open_stream(path, source) as (container, stream):
        survey = _Survey(container, stream, source)
        if not survey.packets:
            raise VideoDecodeError(path, "no key frame" if survey.skipped else "no video frames")
        if (picture := survey.picture) is None:
            raise VideoDecodeError(path, survey.problem)
        # avi stores no times: those of reordered frames are guesses.
        guessed = container.format.name == "avi" and stream.codec_context.has_b_frames
        stamps = None if guessed else survey.pts()
        pts, readable, frames = _count(path, source, survey, stamps)
        risk = survey.decord_risk(stamps is not None)
        rotation = round(picture.rotation / 90) % 4 * 90
        width = picture.height if rotation % 180 else picture.width
        found = VideoScan(
            path=str(path),
            stream=stream.index,
            frames=frames,
            readable=readable,
            pts=pts,
            time_base=stream.time_base or Fraction(1),
            keyframes=_starts(survey.packets, pts),
            codec=stream.codec.canonical_name,
            fps=_rate(stream, pts),
            height=picture.height,
            width=picture.width,
            rotation=rotation,
            decord_risk=risk or decord_risk(container, stream, survey.packets, picture, width),
            colour_risk=colour_risk(picture),
            source=source,
        )
        yield found, (container, stream)
