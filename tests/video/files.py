"""Video files for the tests, made with PyAV; every frame shows its own number, so a wrong index is seen exactly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

BITS = 8
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


def numbered(count: int, height: int = 64, width: int = 128) -> np.ndarray:
    """Frames 0 .. count - 1, uint8 (N, H, W, 3): the number as eight black or white bars, the most significant left.

    The bottom quarter is a moving colour ramp, so that the pictures differ in more than the number and have a way up.
    """
    bits = (np.arange(count)[:, None] >> np.arange(BITS)[::-1]) & 1
    frames = np.zeros((count, height, width, 3), np.uint8)
    columns = np.arange(width) * BITS // width
    frames[:, : height * 3 // 4] = np.where(bits[:, columns], 235, 16)[:, None, :, None]
    ramp = (np.arange(width)[None] * 2 + np.arange(count)[:, None] * 3) % 256
    frames[:, height * 3 // 4 :, :, 0] = ramp[:, None]
    frames[:, height * 3 // 4 :, :, 1] = 255 - ramp[:, None]
    return frames


def read_numbers(frames: np.ndarray) -> list[int]:
    """The number shown by each frame of `numbered`."""
    height, width = frames.shape[1:3]
    rows = frames[:, height // 8 : height // 2, :, :].mean(axis=(1, 3))
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    return [int(value) for value in (rows[:, centres] > 128) @ (1 << np.arange(BITS)[::-1])]


def write(
    path: Path,
    frames: np.ndarray,
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    gop: int = 12,
    pts: np.ndarray | None = None,
    rotation: int | None = None,
) -> Path:
    """Encode at 30 frames per second.

    Args:
        pts: presentation times in units of 1/30 s, for a variable frame rate.
        rotation: degrees for the display matrix.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream: Any = container.add_stream(codec, rate=30, options={"threads": "1", **(options or {})})
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pix_fmt
        stream.codec_context.gop_size = gop
        stream.codec_context.time_base = Fraction(1, 30)
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number if pts is None else int(pts[number])
            frame.time_base = Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def remux(source: Path, target: Path, keep: Any = None, shift: int = 0, container_options: Any = None) -> Path:
    """Copy the packets of the video stream for which `keep(number, packet)` holds; times move by `shift` frames of 1/30 s.

    A negative shift makes the mp4 muxer write an edit list that hides the frames before time zero.
    """
    with av.open(str(source)) as reader, av.open(str(target), "w", options=container_options or {}) as writer:
        stream = reader.streams.video[0]
        out = writer.add_stream_from_template(stream)
        ticks = int(Fraction(shift, 30) / stream.time_base)
        for number, packet in enumerate(packet for packet in reader.demux(stream) if packet.size):
            if keep is None or keep(number, packet):
                packet.pts += ticks
                packet.dts += ticks
                packet.stream = out
                writer.mux(packet)
    return target
