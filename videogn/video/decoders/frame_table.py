"""The frames of a video file, found by reading its packets once and decoding no more than the first picture.

The table gives every frame an index, in the order of display, and its exact time stamp. It also says when decord must
not be used: decord counts packets and seeks by its own rules, which on some files silently gives a neighbouring frame.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction

import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from videogn.checks import require_positive
from videogn.choices import FRAME_RATE
from videogn.video.decoders.image_folder import ImageFolder, read_image_folder
from videogn.video.decoders.images import decode_image
from videogn.video.decoders.leading import read_leading
from videogn.video.decoders.packet_list import PacketList, frame_rate
from videogn.video.decoders.packets import Survey, colour_risk, decord_risk
from videogn.video.decoders.pixel_aspect import displayed_width
from videogn.video.decoders.stream import OpenStream, open_stream, pictures
from videogn.video.errors import VideoDecodeError, reading
from videogn.video.held_file import HeldFile
from videogn.video.storage import CheckedFile, Source, read_source


@dataclass(frozen=True)
class VideoInfo:
    """Facts of a video that are known before it is decoded.

    Attributes:
        frames: Number of frames. In a file that is cut short, lost frames count where the file lists them.
        fps: Mean frames per second, from the first time stamp to the last; what the container says if it has no stamps.
        height: Displayed height in pixels.
        width: Displayed width in pixels.
        rotation: Anticlockwise rotation of the coded picture for display, in degrees: 0, 90, 180 or 270.
        codec: FFmpeg's name of the codec, or "" if it is unknown.
        stored: Height and width of the upright picture in the pixels of the file where these are not square, so that
            the displayed size is another; None where they are square.
    """

    frames: int
    fps: float
    height: int
    width: int
    rotation: int = 0
    codec: str = ""
    stored: tuple[int, int] | None = None

    @property
    def stored_size(self) -> tuple[int, int]:
        """Height and width of the upright picture in the pixels of the file."""
        return self.stored or (self.height, self.width)


@dataclass(frozen=True, eq=False)
class FrameTable:
    """The frames of one video file. Frames hidden by an edit list are not among them.

    Attributes:
        path: File.
        info: Number of frames, rate, displayed size, rotation and codec.
        container: FFmpeg's name of the container format, such as "mov,mp4,m4a,3gp,3g2,mj2".
        stream: Index of the video stream in the container.
        readable: Number of frames, from the first on, that are in the file; less than `info.frames` if it is cut short.
        pts: Presentation time stamps in ticks of `time_base`, int64 (readable,), increasing. None if they do not tell
            frames apart, so that frames have to be counted from the start of the file.
        time_base: Length of a tick in seconds.
        keyframes: Indices of the frames at which decoding can start, int64; empty if `pts` is None.
        decord_risk: Reason why decord would fail or give wrong frames, or None.
        colour_risk: Reason why other decoders than PyAV would give other colours, or None.
        unmarked: Whether no packet is marked as a key frame although the first is one.
        source: Absolute path, or the bytes of a video that is not a separate file.
        leaving_out: Number of packets after the first key frame that a decoder must not be given.
        images: The frames of a folder of numbered images; None for a video file.
        known_intact: Whether every frame is known to decode: a full check found so, and the file is unchanged since.
    """

    path: str
    info: VideoInfo
    container: str
    stream: int
    readable: int
    pts: np.ndarray | None
    time_base: Fraction
    keyframes: np.ndarray
    decord_risk: str | None
    colour_risk: str | None
    unmarked: bool
    source: Source = field(repr=False)
    leaving_out: int = 0
    images: ImageFolder | None = None
    known_intact: bool = False

    @property
    def coded_size(self) -> tuple[int, int]:
        """Height and width of the coded picture, before rotation."""
        return _turned(*self.info.stored_size, self.info.rotation)

    @property
    def survey(self) -> Survey:
        """What the packets of the file told."""
        return Survey(
            frames=self.info.frames,
            readable=self.readable,
            pts=self.pts,
            keyframes=self.keyframes,
            size=self.coded_size,
            rotation=self.info.rotation,
            decord_risk=self.decord_risk,
            colour_risk=self.colour_risk,
            unmarked=self.unmarked,
            leaving_out=self.leaving_out,
        )

    def index_of(self, pts: int | None) -> int | None:
        """Return the index of the frame with a time stamp, or None. Only if the table has time stamps."""
        assert self.pts is not None
        index = len(self.pts) if pts is None else int(np.searchsorted(self.pts, pts))
        return index if index < len(self.pts) and self.pts[index] == pts else None

    def times(self) -> np.ndarray:
        """Return when each frame is displayed: seconds from the first frame, float64 (info.frames,), increasing.

        Frames without a time stamp follow one another at the mean rate.
        """
        stamped = np.zeros(1) if self.pts is None else (self.pts - self.pts[0]) * self.time_base.numerator
        seconds = stamped / (1 if self.pts is None else self.time_base.denominator)
        unstamped = np.arange(1, self.info.frames - len(seconds) + 1)
        return np.concatenate([seconds, seconds[-1] + unstamped / self.info.fps])


def read_frame_table(path: str | os.PathLike[str], frame_rate: float = FRAME_RATE) -> FrameTable:
    """Read which frames a video has: a file from its packets and its first picture, a folder of images from the names.

    Only files whose time stamps are missing, repeated or (AVI) made up are decoded, to count their frames. Of a
    `CheckedFile` that is unchanged, not even the packets are read where its index says what they told.

    Args:
        path: File, member of a tar shard, or URL of either, see `videogn.video.storage`; or a folder of numbered
            images, see `videogn.video.decoders.image_folder`.
        frame_rate: Frames per second of a folder of images. Default: 25.

    Returns:
        The frame table; its `info` has the number of frames, the rate and the displayed size.

    Raises:
        VideoDecodeError: If the file cannot be opened, or no picture of it can be decoded.
    """
    with open_frame_table(path, frame_rate) as (table, _):
        return table


@contextmanager
def open_frame_table(
    path: str | os.PathLike[str], frame_rate: float = FRAME_RATE
) -> Iterator[tuple[FrameTable, OpenStream | None]]:
    """Read the frame table of a file, and keep the file open. See `read_frame_table`.

    Args:
        path: File, member of a tar shard, or URL of either; or a folder of numbered images.
        frame_rate: Frames per second of a folder of images. Default: 25.

    Yields:
        The frame table, and the stream that it was read from, at any position; None for a folder.
    """
    if os.path.isdir(path) and not isinstance(path, HeldFile):
        with reading(path):
            table = _of_images(path, frame_rate)
        yield table, None
        return
    source = read_source(path)
    with open_stream(path, source) as (container, stream):
        with reading(path):
            table = _table(path, source, container, stream)
        yield table, (container, stream)


def _of_images(path: str | os.PathLike[str], frame_rate: float) -> FrameTable:
    require_positive("frame_rate", frame_rate)
    images = read_image_folder(path)
    first = decode_image(images.image(0))
    height, width = first.pixels.shape[:2]
    numbers = np.arange(images.frames, dtype=np.int64)
    return FrameTable(
        path=str(path),
        info=VideoInfo(images.frames, float(frame_rate), height, width, first.rotation, first.codec),
        container="images",
        stream=0,
        readable=images.frames,
        pts=numbers,
        time_base=1 / Fraction(frame_rate).limit_denominator(100_000),
        keyframes=numbers,
        decord_risk=None,
        colour_risk=None,
        unmarked=False,
        source=os.path.abspath(path),
        images=images,
    )


def _table(path: str | os.PathLike[str], source: Source, container: InputContainer, stream: VideoStream) -> FrameTable:
    found = _known_survey(path) or _surveyed(path, source, container, stream)
    height, width = found.size
    stored = _turned(height, width, found.rotation)
    shown = _turned(height, displayed_width(width, stream.sample_aspect_ratio), found.rotation)
    return FrameTable(
        path=str(path),
        info=VideoInfo(
            found.frames,
            frame_rate(stream, found.pts),
            *shown,
            found.rotation,
            stream.codec.canonical_name,
            stored=None if shown == stored else stored,
        ),
        container=container.format.name,
        stream=stream.index,
        readable=found.readable,
        pts=found.pts,
        time_base=stream.time_base or Fraction(1),
        keyframes=found.keyframes,
        decord_risk=found.decord_risk,
        colour_risk=found.colour_risk,
        unmarked=found.unmarked,
        source=source,
        leaving_out=found.leaving_out,
        known_intact=isinstance(path, CheckedFile) and path.is_unchanged(),
    )


def _known_survey(path: str | os.PathLike[str]) -> Survey | None:
    """What the packets of an unchanged file told, as far as an index says it."""
    if not isinstance(path, CheckedFile) or not path.survey or not path.is_unchanged():
        return None
    from videogn.video.decoders.survey import read_survey  # other files do without

    return read_survey(path.survey, path.size)


def _surveyed(path: str | os.PathLike[str], source: Source, container: InputContainer, stream: VideoStream) -> Survey:
    """Read all packets of a file, and its first picture."""
    listed = PacketList(container, stream, source)
    if not listed.packets:
        raise VideoDecodeError(path, "no key frame" if listed.skipped else "no video frames")
    if listed.lost_start(container):
        raise VideoDecodeError(path, "its first key frame is damaged")
    if (picture := listed.picture) is None:
        raise VideoDecodeError(path, listed.problem)
    listed.leading = read_leading(path, source, listed.packets, container.format.name, unmarked=listed.unmarked)
    # AVI stores no times: those of reordered frames are guesses.
    guessed = container.format.name == "avi" and stream.codec_context.has_b_frames
    stamps = None if guessed else listed.pts()
    pts, readable, frames = _count(path, source, listed, stamps)
    size, rotation = (picture.height, picture.width), round(picture.rotation / 90) % 4 * 90
    risk = listed.decord_risk(stamps is not None)
    return Survey(
        frames=frames,
        readable=readable,
        pts=pts,
        keyframes=listed.starts(pts),
        size=size,
        rotation=rotation,
        decord_risk=risk or decord_risk(container, stream, listed.packets, picture, _turned(*size, rotation)[1]),
        colour_risk=colour_risk(picture),
        unmarked=listed.unmarked,
        leaving_out=listed.leading.undecodable,
    )


def _count(
    path: str | os.PathLike[str], source: Source, listed: PacketList, pts: np.ndarray | None
) -> tuple[np.ndarray | None, int, int]:
    """Time stamps, number of readable frames and number of frames, from the packets or else by decoding all."""
    shown = len(listed.shown())
    if pts is not None:
        readable = len(pts)
        frames = shown + listed.missing if listed.cut else readable
    else:
        pts, readable, failed = _decode_all(path, source, listed)
        frames = max(readable, shown) if failed else readable
        if listed.cut:
            frames = max(frames, shown + listed.missing)
            readable = listed.surely_readable(readable)
            pts = None if pts is None else pts[:readable]
    if not readable:
        raise VideoDecodeError(path, "no frame can be decoded")
    return pts, readable, frames


def _decode_all(
    path: str | os.PathLike[str], source: Source, listed: PacketList
) -> tuple[np.ndarray | None, int, bool]:
    """Decode the whole file: the pictures' time stamps (None if useless), their number, and whether it failed."""
    stamps: list[int | None] = []
    failed = False
    with open_stream(path, source) as (container, stream):
        decoded = pictures(container, stream, unmarked=listed.unmarked, leaving_out=listed.leading.undecodable)
        try:
            stamps.extend(picture.pts for picture in decoded)
        except av.error.FFmpegError:
            failed = True
    known = [stamp for stamp in stamps if stamp is not None]
    rising = len(known) == len(stamps) and all(a < b for a, b in itertools.pairwise(known))
    return (np.array(known, np.int64) if rising else None), len(stamps), failed


def _turned(height: int, width: int, rotation: int) -> tuple[int, int]:
    """Height and width of a picture after a rotation by a multiple of 90 degrees, or before it."""
    return (width, height) if rotation % 180 else (height, width)
