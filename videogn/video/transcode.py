"""A small copy of a video that is cheap to read: its frames, one for one, at a lower size and with close key frames."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoScan, open_scanned
from videogn.video.decoders.pyav_reader import PyAVReader
from videogn.video.errors import VideoDecodeError, explain, reading
from videogn.video.integrity_report import VideoReport, inspect_video

#: x264's; slower ones save a hundredth of the bytes and take twice as long.
_PRESET = "veryfast"
#: As in `videogn.video.encode`: the same video gives the same bytes.
_DETERMINISTIC = {"threads": "1", "mbtree": "0"}


@dataclass(frozen=True)
class CopySettings:
    """What a copy is like.

    Attributes:
        short_side: pixels of the shorter side; a video that is smaller keeps its size.
        crf: x264's constant quality, smaller is better and larger in bytes.
        gop: distance of key frames in frames.
    """

    short_side: int
    crf: int
    gop: int

    def __post_init__(self) -> None:
        for name, value, least, most in (
            ("short_side", self.short_side, 16, 4096),
            ("crf", self.crf, 0, 51),
            ("gop", self.gop, 1, 1000),
        ):
            if not least <= value <= most:
                raise ValueError(f"{name} must be {least} to {most}, got {value}")
        if self.short_side % 2:
            raise ValueError(f"short_side must be even (H.264 stores colour at half size), got {self.short_side}")


def copied_size(height: int, width: int, short_side: int) -> tuple[int, int]:
    """Height and width of a copy: never larger than the video, in its proportions but for a pixel, both even.

    Args:
        height: of the displayed picture.
        width: likewise.
        short_side: of the copy, even.

    Returns:
        Height and width.
    """
    short = min(height, width)
    if short <= short_side:
        return max(2, height // 2 * 2), max(2, width // 2 * 2)
    long_side = 2 * round(max(height, width) * short_side / short / 2)
    return (short_side, long_side) if height <= width else (long_side, short_side)


class Transcoder:
    """What copies videos in a process that can be killed."""

    def copy(self, source: str, target: str, settings: CopySettings) -> VideoReport:
        """Write a copy and look into it; see `copy_video`."""
        copy_video(source, target, settings)
        return inspect_video(target, decode=True)


def copy_video(source: str | os.PathLike[str], target: str | os.PathLike[str], settings: CopySettings) -> int:
    """Write a copy as H.264 in mp4 without sound: frame i of the copy is frame i of the video, at the same time.

    Frames are upright in the copy, the first is at time zero, and the same video gives the same bytes.

    Args:
        source: the video.
        target: the file to write, ending in .mp4.
        settings: what the copy is like.

    Returns:
        How many frames were written.

    Raises:
        VideoDecodeError: a frame of the video cannot be decoded.
        OSError: the copy cannot be written.
    """
    with open_scanned(source) as (found, opened):
        if found.readable < found.frames:
            raise VideoDecodeError(source, f"the file is cut short after frame {found.readable} of {found.frames}")
        with reading(source):
            reader = PyAVReader(found, opened)
        try:
            return _write(reader, found, target, settings)
        finally:
            reader.close()


def _write(reader: PyAVReader, found: VideoScan, target: str | os.PathLike[str], settings: CopySettings) -> int:
    """Encode every frame; see `copy_video`."""
    pts, time_base = _times(found)
    height, width = copied_size(found.info.height, found.info.width, settings.short_side)
    options = {"crf": str(settings.crf), "preset": _PRESET, **_DETERMINISTIC}
    try:
        # bitexact keeps version strings and dates out; fast start puts the index first, which saves a seek.
        container_options = {"fflags": "+bitexact", "movflags": "faststart"}
        with av.open(os.fspath(target), "w", options=container_options) as container:
            rate = Fraction(found.fps).limit_denominator(100_000)
            stream: Any = container.add_stream("libx264", rate=rate, options=options)
            stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
            stream.time_base = stream.codec_context.time_base = time_base
            stream.codec_context.gop_size = settings.gop
            stream.codec_context.flags |= int(av.codec.context.Flags.bitexact)
            for picture, time, duration in zip(
                _resized(reader, found, height, width), pts, _durations(pts), strict=True
            ):
                picture.pts, picture.time_base, picture.duration = time, time_base, duration
                container.mux(stream.encode(picture))
            container.mux(stream.encode())
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            raise OSError(error.errno, error.strerror, os.fspath(target)) from error  # PyAV's own cannot be pickled
        raise VideoDecodeError(found.path, f"cannot be copied ({explain(error)})") from error
    return len(pts)


def _times(found: VideoScan) -> tuple[list[int], Fraction]:
    """Every frame's time from the first on, rising, and its unit in seconds."""
    if found.pts is None:
        return list(range(found.frames)), 1 / Fraction(found.fps).limit_denominator(100_000)
    return (found.pts - found.pts[0]).tolist(), found.time_base


def _durations(pts: list[int]) -> list[int]:
    """How long each frame is shown; the last as long as the one before it."""
    steps = np.diff(pts).tolist()
    return [*steps, *(steps[-1:] or [1])]


def _resized(reader: PyAVReader, found: VideoScan, height: int, width: int) -> Any:
    """Every frame of a video, upright and of the new size, as pictures to encode."""
    info = found.info
    whole = Crop(0, 0, info.height, info.width)
    frame = np.empty((1, info.height, info.width, 3), np.uint8)
    reformatter = VideoReformatter()
    for number in range(found.frames):
        with reading(found.path):
            reader.read(np.array([number]), whole, frame)
        picture = av.VideoFrame.from_ndarray(frame[0], format="rgb24")
        yield reformatter.reformat(picture, width=width, height=height, format="yuv420p", interpolation="BICUBIC")
