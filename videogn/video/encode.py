"""Frames to a video file: what the synthetic data set and the tests are written with."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from videogn.system.files import replacing

# x264's macroblock tree reads beyond narrow pictures: the bytes then depend on what lay in memory before.
_DETERMINISTIC = {"libx264": {"mbtree": "0"}}
# These refuse 4:2:0 pictures whose sides are odd.
_EVEN_SIDES_ONLY = frozenset({"libx264", "libx265", "libopenh264"})


def _check_frames(frames: np.ndarray, codec: str) -> None:
    """Raise ValueError unless `frames` is uint8 (N, H, W, 3) with N > 0 and sides the codec takes."""
    if not isinstance(frames, np.ndarray) or frames.dtype != np.uint8:
        raise ValueError(
            f"frames must be a numpy array of uint8, not {getattr(frames, 'dtype', type(frames).__name__)}"
        )
    if frames.ndim != 4 or frames.shape[3] != 3:
        raise ValueError(f"frames must have the shape (N, H, W, 3), not {frames.shape}")
    count, height, width, _ = frames.shape
    if min(count, height, width) < 1:
        raise ValueError(f"nothing to write: frames have the shape {frames.shape}")
    if codec in _EVEN_SIDES_ONLY and (height % 2 or width % 2):
        raise ValueError(f"{codec} needs an even width and height, not {width}x{height}")


def write_video(
    path: str | Path,
    frames: np.ndarray,
    fps: float | Fraction = 30,
    *,
    codec: str = "libx264",
    crf: int | None = 18,
    gop: int = 12,
    options: Mapping[str, str] | None = None,
) -> None:
    """Write RGB frames as a video file (4:2:0, 8 bits); the same input gives the same bytes.

    Args:
        path: the file to create or replace; its suffix (.mp4, .mkv, .webm, ...) chooses the container.
        frames: uint8 (N, H, W, 3), RGB.
        fps: frames per second.
        codec: name of an FFmpeg encoder.
        crf: constant quality, smaller is better and larger in bytes; None for encoders that have no such option.
        gop: distance of key frames in frames. A short one makes reading single clips cheap.
        options: further options of the encoder, such as {"preset": "veryfast"}.

    Raises:
        ValueError: frames of a wrong type, shape or size, or an encoder or a suffix that FFmpeg does not have or that
            refuses these settings.
        OSError: the file cannot be written.
    """
    _check_frames(frames, codec)
    rate = Fraction(fps).limit_denominator(100_000)
    if rate <= 0 or gop < 1:
        raise ValueError(f"fps and gop must be positive, not {fps} and {gop}")
    settings = {"crf": str(crf)} if crf is not None else {}
    # Several threads can split the work differently from run to run, and so change the bytes.
    settings |= {"threads": "1", **_DETERMINISTIC.get(codec, {}), **(options or {})}
    with replacing(path) as temporary:
        try:
            _encode(str(temporary), frames, rate, codec, gop, settings)
        except (av.error.FFmpegError, ValueError, TypeError) as error:  # TypeError: an audio codec
            if isinstance(error, OSError) and not isinstance(error, ValueError):
                raise
            raise ValueError(f"{path}: cannot encode with {codec} ({error})") from error


def _encode(path: str, frames: np.ndarray, rate: Fraction, codec: str, gop: int, settings: dict[str, str]) -> None:
    # bitexact keeps version strings, dates and random identifiers out of the file.
    with av.open(path, "w", options={"fflags": "+bitexact"}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options=settings)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.flags |= int(av.codec.context.Flags.bitexact)
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
