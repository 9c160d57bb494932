"""Frames to a video file: the synthetic data set, the copies of `transcode` and the tests are written with it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np

from videogn.checks import require_at_least, require_positive
from videogn.system.files import replacing

# x264's macroblock tree reads beyond narrow pictures: the bytes then depend on the previous contents of memory.
_DETERMINISTIC = {"libx264": {"mbtree": "0"}}
# Encoders that refuse 4:2:0 pictures with odd sides.
_EVEN_SIDES_ONLY = frozenset({"libx264", "libx265", "libopenh264"})


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
    """Write RGB frames as a video file (4:2:0, 8 bits). The same input gives the same bytes.

    Args:
        path: File to create or replace. Its suffix (.mp4, .mkv, .webm, ...) chooses the container.
        frames: RGB frames, uint8 (N, H, W, 3).
        fps: Frames per second. Default: 30.
        codec: FFmpeg's name of the encoder. Default: "libx264".
        crf: Constant rate factor: a smaller one gives better quality and a larger file. None for encoders without this
            option. Default: 18.
        gop: Distance between key frames, in frames. A short one makes single clips cheap to read. Default: 12.
        options: Further options of the encoder, such as {"preset": "veryfast"}.

    Raises:
        ValueError: If the frames have a wrong type, shape or size, or FFmpeg has no such encoder or container, or the
            encoder refuses the settings.
        OSError: If the file cannot be written.
    """
    _check_frames(frames, codec)
    rate = Fraction(fps).limit_denominator(100_000)
    require_positive("fps", float(rate))
    require_at_least("gop", gop, 1)
    settings = ({} if crf is None else {"crf": str(crf)}) | dict(options or {})
    with replacing(path) as temporary:
        try:
            with open_encoder(temporary, codec, frames.shape[1:3], rate, gop, settings) as (container, stream):
                for picture in frames:
                    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
                    container.mux(stream.encode(frame))
                container.mux(stream.encode())
        except (av.error.FFmpegError, ValueError, TypeError) as error:  # TypeError: an audio codec
            if isinstance(error, OSError) and not isinstance(error, ValueError):
                raise
            raise ValueError(f"{path}: cannot encode with {codec} ({error})") from error


@contextmanager
def open_encoder(
    path: str | os.PathLike[str],
    codec: str,
    size: tuple[int, ...],
    rate: Fraction,
    gop: int,
    options: Mapping[str, str],
    container_options: Mapping[str, str] | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Open a file with one video stream (4:2:0, 8 bits) for writing. The same pictures give the same bytes.

    Args:
        path: File to write. Its suffix chooses the container.
        codec: FFmpeg's name of the encoder.
        size: Height and width in pixels.
        rate: Frames per second.
        gop: Distance between key frames, in frames.
        options: Options of the encoder.
        container_options: Options of the container.

    Yields:
        PyAV's container and stream.
    """
    # bitexact keeps version strings, dates and random identifiers out of the file.
    with av.open(os.fspath(path), "w", options={"fflags": "+bitexact", **(container_options or {})}) as container:
        # Several threads may split the work differently from run to run, and so change the bytes.
        settings = {"threads": "1", **_DETERMINISTIC.get(codec, {}), **options}
        stream: Any = container.add_stream(codec, rate=rate, options=settings)
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.gop_size = gop
        stream.codec_context.flags |= int(av.codec.context.Flags.bitexact)
        yield container, stream


def _check_frames(frames: np.ndarray, codec: str) -> None:
    """Raise ValueError unless `frames` is uint8 (N, H, W, 3) with N > 0 and sides that the codec takes."""
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
