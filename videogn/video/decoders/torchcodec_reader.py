"""Frames by number with torchcodec, where it is asked for; its numbers are held against the packets' own."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoScan
from videogn.video.errors import VideoDecodeError, explain


@functools.cache
def problem() -> str | None:
    """Why torchcodec cannot be used here, or None. It is installed without FFmpeg's libraries, which it needs."""
    try:
        importlib.import_module("torchcodec.decoders")
    except ImportError:
        return "torchcodec is not installed"
    except (RuntimeError, OSError):
        return "torchcodec finds no FFmpeg libraries (versions 4 to 9); install FFmpeg"
    return None


class TorchcodecReader:
    """Reads through torchcodec; refuses a file whose frames it counts or times otherwise than the packets.

    Args:
        found: the scan of the file.

    Raises:
        VideoDecodeError: torchcodec cannot be used here or not for this file.
    """

    def __init__(self, found: VideoScan) -> None:
        self._scan = found
        if (missing := problem()) is not None:
            raise VideoDecodeError(found.path, missing)
        if found.pts is None:
            raise self._refusal("time stamps do not tell its frames apart")
        if found.readable < found.frames:
            raise self._refusal("the file is cut short")
        if found.colour_risk is not None:
            raise self._refusal(found.colour_risk)
        self._times = found.pts * float(found.time_base)  # seconds
        decoders = importlib.import_module("torchcodec.decoders")
        try:
            self._decoder: Any = decoders.VideoDecoder(
                found.source,
                stream_index=found.stream,
                num_ffmpeg_threads=1,
                seek_mode="exact",
                dimension_order="NHWC",
            )
        except (RuntimeError, ValueError, OSError) as error:
            raise self._failure(error) from error
        if len(self._decoder) != found.frames:
            raise self._refusal(f"it counts {len(self._decoder)} frames, the packets are {found.frames}")

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        try:
            batch = self._decoder.get_frames_at(indices.tolist())
        except (RuntimeError, ValueError, IndexError, OSError) as error:
            raise self._failure(error) from error
        frames = batch.data.numpy()
        info = self._scan.info
        if frames.shape[1:] != (info.height, info.width, 3):
            raise self._refusal(f"it gives frames of {frames.shape[1:]}, not {(info.height, info.width, 3)}")
        off = np.abs(batch.pts_seconds.numpy() - self._times[indices]) > float(self._scan.time_base) / 2
        if off.any():
            raise self._refusal(f"it gives another frame for {indices[off.argmax()]}")
        out[:] = frames[:, window.top : window.top + window.height, window.left : window.left + window.width]

    def close(self) -> None:
        """See `Reader`."""
        self._decoder = None

    def _refusal(self, reason: str) -> VideoDecodeError:
        return VideoDecodeError(self._scan.path, f"not for torchcodec ({reason}); use decoder='auto' or 'pyav'")

    def _failure(self, error: Exception) -> VideoDecodeError:
        return VideoDecodeError(self._scan.path, f"torchcodec cannot read it ({explain(error)})")
