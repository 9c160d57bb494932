"""Pictures at any times, one by one, and the sound of another file -> a video for browsers."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import av.error
import av.video.reformatter
import numpy as np

from videogn.choices import FRAME_RATE
from videogn.system.files import replacing
from videogn.video.encode import open_encoder
from videogn.video.errors import VideoDecodeError, explain
from videogn.video.sound import sound_of

#: Ticks a second: those of MPEG, in which the usual rates are whole numbers.
_CLOCK = 90_000
_SETTINGS = {"crf": "20", "preset": "veryfast"}
#: Most frames between two key frames: some seconds, as players jump to them.
_GOP = 120


def write_with_sound(
    path: str | Path,
    pictures: Iterable[np.ndarray],
    times: Sequence[float],
    source: str | os.PathLike[str],
    *,
    start: float = 0.0,
    end: float | None = None,
    frame_rate: float = FRAME_RATE,
) -> None:
    """Write pictures as H.264 (4:2:0) with the sound of a video, as mp4. One picture at a time is in memory.

    AAC, MP3, Opus and FLAC are copied as they are; other sound is encoded again, as AAC in one or two channels.

    Args:
        path: File to create or replace, ending in .mp4.
        pictures: RGB pictures of one size, uint8 (H, W, 3). Odd sides get one more row or column.
        times: Second at which each is displayed, from 0 on, increasing; one more at the end, where the last one ends.
        source: Video whose sound it is.
        start: Second of it, from its first frame, that is time 0. Default: 0.
        end: Second of it at which its sound ends. Default: all of it.
        frame_rate: Frames per second of `source` if it is a folder of images. Default: 25.

    Raises:
        VideoDecodeError: `source` cannot be read, or its sound not be written.
        OSError: The file cannot be written.
    """
    shown = iter(pictures)
    first = _even(next(shown))
    ticks = [round(time * _CLOCK) for time in times]
    rate = Fraction((len(times) - 1) / (times[-1] - times[0])).limit_denominator(100_000)
    faststart = {"movflags": "faststart"}  # browsers begin before they have all of it
    try:
        with (
            replacing(path) as temporary,
            open_encoder(temporary, "libx264", first.shape[:2], rate, _GOP, _SETTINGS, faststart) as (file, stream),
            sound_of(source, file, start=start, end=end, frame_rate=frame_rate) as sound,
        ):
            stream.time_base = stream.codec_context.time_base = Fraction(1, _CLOCK)
            # What FFmpeg makes of RGB: browsers would take a large picture that says nothing for BT.709.
            stream.codec_context.colorspace = av.video.reformatter.Colorspace.SMPTE170M
            stream.codec_context.color_range = av.video.reformatter.ColorRange.MPEG
            for number, (tick, following) in enumerate(pairwise(ticks)):
                picture = av.VideoFrame.from_ndarray(_even(next(shown)) if number else first, format="rgb24")
                picture.pts, picture.time_base, picture.duration = tick, stream.time_base, following - tick
                file.mux(stream.encode(picture))
                if sound is not None:
                    sound.write_until(times[number + 1])
            file.mux(stream.encode())
            if sound is not None:
                sound.write_until(float("inf"))
    except av.error.FFmpegError as error:
        if isinstance(error, OSError) and not isinstance(error, ValueError):
            raise OSError(error.errno, error.strerror, os.fspath(path)) from error
        raise VideoDecodeError(source, f"cannot be written as mp4 ({explain(error)})") from error


def _even(picture: np.ndarray) -> np.ndarray:
    """The picture, with its last row and column once more where a side is odd: H.264 stores colour at half size."""
    height, width = picture.shape[:2]
    if height % 2 or width % 2:
        picture = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return np.ascontiguousarray(picture)
