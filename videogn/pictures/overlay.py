"""The video, or a part of it, with something drawn into every frame, for browsers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from videogn.axes import VideoRecord
from videogn.choices import FRAME_RATE
from videogn.video.decoders.frame_source import CHUNK_BYTES, FrameSource, Opener
from videogn.video.encode_with_sound import write_with_sound
from videogn.video.timeline import clip_times, make_timeline

#: A video with a shorter side than this is enlarged by a whole number, so that letters have room.
_SHORT_SIDE = 120

#: Function that draws into a frame, RGB, uint8 (H, W, 3), displayed at some second; it may change the frame.
Draw = Callable[[NDArray[np.uint8], float], NDArray[np.uint8]]


def write_overlay(
    path: str | Path,
    record: VideoRecord,
    opener: Opener,
    draw_for: Callable[[int, int], Draw],
    *,
    decoder: str = "auto",
    frame_rate: float = FRAME_RATE,
) -> None:
    """Write a video as H.264 in mp4, upright and with square pixels, every frame at its time, with its sound.

    A few frames at a time are in memory, whatever the video's length.

    Args:
        path: File to create or replace, ending in .mp4.
        record: Video, or a part of it.
        opener: Function that opens a video.
        draw_for: Height and width of the frames -> function that draws into them.
        decoder: Decoder. Default: "auto".
        frame_rate: Frames per second of a folder of images. Default: 25.

    Raises:
        VideoDecodeError: A frame cannot be decoded.
        OSError: The file cannot be written.
    """
    with opener(record.path, decoder) as video:
        indices = make_timeline(video, record)
        times = video.times()[indices]
        [(start, end)] = clip_times(video, indices[None])
        larger = max(-(-_SHORT_SIDE // min(video.info.height, video.info.width)), 1)
        draw = draw_for(video.info.height * larger, video.info.width * larger)
        shown = (draw(_enlarged(frame, larger), time) for frame, time in _frames(video, indices, times))
        write_with_sound(
            path,
            shown,
            [*(times - start).tolist(), end - start],
            record.path,
            start=start,
            end=None if record.segment is None else end,
            frame_rate=frame_rate,
        )


def _frames(
    video: FrameSource, indices: NDArray[np.int64], times: NDArray[np.float64]
) -> Iterator[tuple[NDArray[np.uint8], float]]:
    step = max(CHUNK_BYTES // (video.info.height * video.info.width * 3), 1)
    for first in range(0, len(indices), step):
        part = slice(first, first + step)
        yield from zip(video.frames(indices[part]), times[part].tolist(), strict=True)


def _enlarged(frame: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Every pixel as `factor` x `factor` pixels; always a copy, since the decoder keeps the frame's memory."""
    return np.repeat(np.repeat(frame, factor, axis=0), factor, axis=1)
