"""Frames by number with decord, where it is asked for, behind the checks that it lacks."""

from __future__ import annotations

import importlib
import io
import re
from typing import Any

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoScan
from videogn.video.errors import VideoDecodeError

_SOURCE_LINE = re.compile(r".*\.cc:\d+: |^\[[\d:]+\] ")


def _load() -> Any:
    """The decord module, or None where it is not installed or does not load."""
    try:
        return importlib.import_module("decord")
    except (ImportError, OSError):
        return None


def problem() -> str | None:
    """Why decord cannot be used here, or None."""
    return "decord is not installed" if _load() is None else None


class _Lent:
    """Memory of a decord array, lent to numpy without a copy."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **_: Any) -> Any:
        return self._array.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU


class DecordReader:
    """Reads through decord; refuses a file whose frames decord counts otherwise.

    Args:
        found: the scan of the file.

    Raises:
        VideoDecodeError: decord is not installed, is known to be wrong on such a file, cannot read it or counts other
            frames.
    """

    def __init__(self, found: VideoScan) -> None:
        self._path = found.path
        self._shape = (found.info.height, found.info.width, 3)
        if (missing := problem()) is not None:
            raise VideoDecodeError(found.path, missing)
        decord = _load()
        if found.decord_risk is not None:
            raise VideoDecodeError(found.path, f"not for decord ({found.decord_risk}); use decoder='auto' or 'pyav'")
        try:
            source = found.source if isinstance(found.source, str) else io.BytesIO(found.source)
            # With fault_tol=1 it raises where it would hand out a frame twice.
            self._reader = decord.VideoReader(source, ctx=decord.cpu(0), num_threads=1, fault_tol=1)
            count = len(self._reader)
        except Exception as error:  # its errors have no common class of their own
            raise self._failure(error) from error
        if count != found.frames:
            raise VideoDecodeError(found.path, f"decord counts {count} frames, the packets are {found.frames}")

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        try:
            batch = self._reader.get_batch(indices.tolist())
        except Exception as error:
            raise self._failure(error) from error
        # What comes back depends on decord's process-wide bridge; importing pytorchvideo sets it to torch.
        frames = np.from_dlpack(_Lent(batch)) if hasattr(batch, "to_dlpack") else np.asarray(batch)
        if frames.shape[1:] != self._shape:
            raise VideoDecodeError(self._path, f"decord gives frames of {frames.shape[1:]}, not {self._shape}")
        out[:] = frames[:, window.top : window.top + window.height, window.left : window.left + window.width]

    def close(self) -> None:
        """See `Reader`."""
        self._reader = None

    def _failure(self, error: Exception) -> VideoDecodeError:
        # Its messages are times, source lines, the sentence that matters, and a C++ stack trace.
        reason = _SOURCE_LINE.sub("", str(error).strip().split("\n")[0]) or type(error).__name__
        return VideoDecodeError(self._path, f"decord cannot read it ({reason})")
