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

from videogn.video.decoders.packet_list import Survey, frame_rate
from videogn.video.decoders.packets import colour_risk, decord_risk
from videogn.video.decoders.stream import open_stream, pictures
from videogn.video.errors import VideoDecodeError, reading
from videogn.video.storage import Source, read_source

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

    from videogn.video.decoders.stream import OpenStream

__all__ = ["VideoInfo", "VideoScan", "open_scanned", "scan"]


@dataclass(frozen=True)
class VideoInfo:
    """What a video is before it is decoded.

    Attributes:
        frames: number of frames.
        fps: mean frames per second.
        height: as displayed, pixels.
        width: as displayed, pixels.
        rotation: degrees (0, 90, 180 or 270) by which the coded picture is turned anticlockwise for display.
        codec: FFmpeg's name of it; "" where unknown.
    """

    frames: int
    fps: float
    height: int
    width: int
    rotation: int = 0
    codec: str = ""


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
        unmarked: no packet is marked as a key frame, and the first of all is one.
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
    unmarked: bool
    source: Source = field(repr=False)

    @property
    def info(self) -> VideoInfo:
        """The facts as seen by a viewer: the size is that after rotation."""
        turned = self.rotation % 180 != 0
        height, width = (self.width, self.height) if turned else (self.height, self.width)
        return VideoInfo(self.frames, self.fps, height, width, self.rotation, self.codec)


def _decode_all(path: str | os.PathLike[str], source: Source, unmarked: bool) -> tuple[np.ndarray | None, int, bool]:
    """Decode the whole file: the pictures' time stamps (None if useless), their number, and whether it failed."""
    stamps: list[int | None] = []
    failed = False
    with open_stream(path, source) as (container, stream):
        try:
            stamps.extend(picture.pts for picture in pictures(container, stream, unmarked=unmarked))
        except av.error.FFmpegError:
            failed = True
    known = [stamp for stamp in stamps if stamp is not None]
    rising = len(known) == len(stamps) and all(a < b for a, b in itertools.pairwise(known))
    return (np.array(known, np.int64) if rising else None), len(stamps), failed


def _count(
    path: str | os.PathLike[str], source: Source, survey: Survey, pts: np.ndarray | None
) -> tuple[np.ndarray | None, int, int]:
    """Time stamps, number of readable frames and number of frames, from the packets or else by decoding them all."""
    if pts is not None:
        readable = len(pts)
        frames = len(survey.shown()) + survey.missing if survey.cut else readable
    else:
        pts, readable, failed = _decode_all(path, source, survey.unmarked)
        frames = max(readable, len(survey.shown())) if failed else readable
        if survey.cut:
            frames = max(frames, len(survey.shown()) + survey.missing)
            readable = survey.surely_readable(readable)
            pts = None if pts is None else pts[:readable]
    if not readable:
        raise VideoDecodeError(path, "no frame can be decoded")
    return pts, readable, frames


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
        with reading(path):
            found = _scanned(path, source, container, stream)
        yield found, (container, stream)


def _scanned(path: str | os.PathLike[str], source: Source, container: InputContainer, stream: VideoStream) -> VideoScan:
    survey = Survey(container, stream, source)
    if not survey.packets:
        raise VideoDecodeError(path, "no key frame" if survey.skipped else "no video frames")
    if survey.lost_start(container):
        raise VideoDecodeError(path, "its first key frame is damaged")
    if (picture := survey.picture) is None:
        raise VideoDecodeError(path, survey.problem)
    # avi stores no times: those of reordered frames are guesses.
    guessed = container.format.name == "avi" and stream.codec_context.has_b_frames
    stamps = None if guessed else survey.pts()
    pts, readable, frames = _count(path, source, survey, stamps)
    risk = survey.decord_risk(stamps is not None)
    rotation = round(picture.rotation / 90) % 4 * 90
    width = picture.height if rotation % 180 else picture.width
    return VideoScan(
        path=str(path),
        stream=stream.index,
        frames=frames,
        readable=readable,
        pts=pts,
        time_base=stream.time_base or Fraction(1),
        keyframes=survey.starts(pts),
        codec=stream.codec.canonical_name,
        fps=frame_rate(stream, pts),
        height=picture.height,
        width=picture.width,
        rotation=rotation,
        decord_risk=risk or decord_risk(container, stream, survey.packets, picture, width),
        colour_risk=colour_risk(picture),
        unmarked=survey.unmarked,
        source=source,
    )
