"""Frames by index with torchcodec, if it is asked for, compared with the frame table by number and time."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.stream import OpenStream
from videogn.video.errors import VideoDecodeError, explain


class TorchcodecReader:
    """Reads through torchcodec, and refuses a file whose frames it counts or times otherwise than the frame table.

    Args:
        table: Frame table of the file.
        opened: Unused; torchcodec opens the file itself.

    Raises:
        VideoDecodeError: If torchcodec cannot be used here, or not for this file.
    """

    def __init__(self, table: FrameTable, opened: OpenStream) -> None:
        self._table = table
        if (missing := self.problem()) is not None:
            raise VideoDecodeError(table.path, missing)
        if table.pts is None:
            raise self._refusal("time stamps do not tell its frames apart")
        if table.readable < table.info.frames:
            raise self._refusal("the file is cut short")
        if table.colour_risk is not None:
            raise self._refusal(table.colour_risk)
        self._times = table.pts * float(table.time_base)  # seconds
        decoders = importlib.import_module("torchcodec.decoders")
        try:
            self._decoder: Any = decoders.VideoDecoder(
                table.source,
                stream_index=table.stream,
                num_ffmpeg_threads=1,
                seek_mode="exact",
                dimension_order="NHWC",
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise self._failure(error) from error
        if len(self._decoder) != table.info.frames:
            raise self._refusal(f"it counts {len(self._decoder)} frames, the packets are {table.info.frames}")

    @staticmethod
    @functools.cache
    def problem() -> str | None:
        """See `Reader`. torchcodec can be installed without FFmpeg's libraries, which it needs."""
        try:
            importlib.import_module("torchcodec.decoders")
        except ImportError:
            return "torchcodec is not installed"
        except (RuntimeError, OSError):
            return "torchcodec finds no FFmpeg libraries (versions 4 to 9); install FFmpeg"
        return None

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        try:
            batch = self._decoder.get_frames_at(indices.tolist())
        except (RuntimeError, ValueError, IndexError, OSError) as error:
            raise self._failure(error) from error
        frames = batch.data.numpy()
        info = self._table.info
        if frames.shape[1:] != (info.height, info.width, 3):
            raise self._refusal(f"it gives frames of {frames.shape[1:]}, not {(info.height, info.width, 3)}")
        off = np.abs(batch.pts_seconds.numpy() - self._times[indices]) > float(self._table.time_base) / 2
        if off.any():
            raise self._refusal(f"it gives another frame for {indices[off.argmax()]}")
        out[:] = window.cut(frames)

    def close(self) -> None:
        """See `Reader`."""
        self._decoder = None

    def _refusal(self, reason: str) -> VideoDecodeError:
        return VideoDecodeError(self._table.path, f"not for torchcodec ({reason}); use decoder='auto' or 'pyav'")

    def _failure(self, error: Exception) -> VideoDecodeError:
        return VideoDecodeError(self._table.path, f"torchcodec cannot read it ({explain(error)})")
