"""A small copy of a video that is cheap to read: the same frames, smaller and with close key frames."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from videogn.axes import Crop
from videogn.choices import FRAME_RATE
from videogn.video.decoders.frame_table import FrameTable, open_frame_table, read_frame_table
from videogn.video.decoders.readers import AUTO, Reader, open_reader
from videogn.video.decoders.time_limit import time_limit
from videogn.video.encode import open_encoder
from videogn.video.errors import VideoDecodeError, explain, reading
from videogn.video.integrity_report import IntegrityReport, check_integrity

#: Preset of x264; slower ones save a hundredth of the bytes and take twice as long.
_PRESET = "veryfast"


@dataclass(frozen=True)
class CopySettings:
    """Size and coding of the copies.

    Args:
        short_side: Shorter side of a copy in pixels, even. A smaller video keeps its size.
        crf: Constant rate factor of x264, 0 to 51: a smaller one gives better quality and larger files.
        gop: Distance between key frames, in frames.
    """

    short_side: int
    crf: int
    gop: int

    def __post_init__(self) -> None:
        for name, least, most in (("short_side", 16, 4096), ("crf", 0, 51), ("gop", 1, 1000)):
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be {least} to {most}, got {getattr(self, name)}")
        if self.short_side % 2:
            raise ValueError(f"short_side must be even (H.264 stores colour at half size), got {self.short_side}")


def copied_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Compute the size of a copy: not larger than the video, with its aspect ratio to within a pixel, both sides even.

    Args:
        height: Displayed height of the video in pixels.
        width: Displayed width of the video in pixels.
        short_side: Shorter side of the copy in pixels, even.

    Returns:
        Height and width in pixels.
    """
    short = min(height, width)
    if short <= short_side:
        return max(2, height // 2 * 2), max(2, width // 2 * 2)
    long_side = 2 * round(max(height, width) * short_side / short / 2)
    return (short_side, long_side) if height <= width else (long_side, short_side)


class Transcoder:
    """Copies videos in a killable process: `KillableProcess("videogn.video.transcode:Transcoder")`."""

    def time_limit(self, source: str, base: float) -> float:
        """Return how many seconds a copy may take; see `videogn.video.decoders.time_limit`."""
        return time_limit(base, read_frame_table(source).info)

    def copy(self, source: str, target: str, settings: CopySettings, frame_rate: float) -> IntegrityReport:
        """Write a copy and check it; see `copy_video`."""
        copy_video(source, target, settings, frame_rate)
        return check_integrity(target, decode=True)


def copy_video(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    settings: CopySettings,
    frame_rate: float = FRAME_RATE,
) -> int:
    """Write a copy as H.264 in mp4, without sound: frame i of the copy is frame i of the video, at the same time.

    Frames of the copy are upright, and the first is at time zero. The same video gives the same bytes.

    Args:
        source: Video to copy.
        target: File to write, ending in .mp4.
        settings: Size and coding of the copy.
        frame_rate: Frames per second of a folder of images. Default: 25.

    Returns:
        Number of frames written.

    Raises:
        VideoDecodeError: If a frame of the video cannot be decoded.
        OSError: If the copy cannot be written.
    """
    with open_frame_table(source, frame_rate) as (table, opened):
        if table.readable < table.info.frames:
            raise VideoDecodeError(source, f"the file is cut short after frame {table.readable} of {table.info.frames}")
        with reading(source):
            reader = open_reader(AUTO, table, opened)
        try:
            return _write(reader, table, target, settings)
        finally:
            reader.close()


def _write(reader: Reader, table: FrameTable, target: str | os.PathLike[str], settings: CopySettings) -> int:
    """Encode every frame; see `copy_video`."""
    pts, time_base = _times(table)
    size = copied_size(table.info.height, table.info.width, settings.short_side)
    options = {"crf": str(settings.crf), "preset": _PRESET}
    rate = Fraction(table.info.fps).limit_denominator(100_000)
    faststart = {"movflags": "faststart"}  # puts the index first, which saves a seek
    try:
        with open_encoder(target, "libx264", size, rate, settings.gop, options, faststart) as (container, stream):
            stream.time_base = stream.codec_context.time_base = time_base
            for picture, time, duration in zip(_resized(reader, table, *size), pts, _durations(pts), strict=True):
                picture.pts, picture.time_base, picture.duration = time, time_base, duration
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error  # PyAV's own cannot be pickled
        raise VideoDecodeError(table.path, f"cannot be copied ({explain(error)})") from error
    return len(pts)


def _times(table: FrameTable) -> tuple[list[int], Fraction]:
    """Times of all frames, from 0 and increasing, and their unit in seconds."""
    if table.pts is None:
        return list(range(table.info.frames)), 1 / Fraction(table.info.fps).limit_denominator(100_000)
    return (table.pts - table.pts[0]).tolist(), table.time_base


def _durations(pts: list[int]) -> list[int]:
    """Display duration of each frame in ticks; the last frame has that of the one before it."""
    steps = np.diff(pts).tolist()
    return [*steps, *(steps[-1:] or [1])]


def _resized(reader: Reader, table: FrameTable, height: int, width: int) -> Iterator[Any]:
    """All frames of a video, upright, resized and with square pixels, as pictures to encode."""
    whole = Crop(0, 0, *table.info.stored_size)
    frame = np.empty((1, whole.height, whole.width, 3), np.uint8)
    reformatter = VideoReformatter()
    for number in range(table.info.frames):
        with reading(table.path):
            reader.read(np.array([number]), whole, frame)
        picture = av.VideoFrame.from_ndarray(frame[0], format="rgb24")
        yield reformatter.reformat(picture, width=width, height=height, format="yuv420p", interpolation="BICUBIC")
