"""Frames by index with decord, if it is asked for, behind the checks that it lacks."""

from __future__ import annotations

import importlib
import io
import re
from typing import Any

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.stream import OpenStream
from videogn.video.errors import VideoDecodeError

_SOURCE_LINE = re.compile(r".*\.cc:\d+: |^\[[\d:]+\] ")


class _Lent:
    """The memory of a decord array, shared with NumPy without a copy."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **_: Any) -> Any:
        return self._array.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU


class DecordReader:
    """Reads through decord, and refuses a file in which decord counts other frames than the frame table has.

    Args:
        table: Frame table of the file.
        opened: Unused; decord opens the file itself.

    Raises:
        VideoDecodeError: If decord is not installed, is known to be wrong on such a file, cannot read it or counts
            other frames.
    """

    def __init__(self, table: FrameTable, opened: OpenStream) -> None:
        self._path = table.path
        self._shape = (table.info.height, table.info.width, 3)
        if (missing := self.problem()) is not None:
            raise VideoDecodeError(table.path, missing)
        decord: Any = importlib.import_module("decord")
        if table.decord_risk is not None:
            raise VideoDecodeError(table.path, f"not for decord ({table.decord_risk}); use decoder='auto' or 'pyav'")
        try:
            source = table.source if isinstance(table.source, str) else io.BytesIO(table.source)
            # With fault_tol=1 it raises where it would hand out a frame twice.
            self._reader = decord.VideoReader(source, ctx=decord.cpu(0), num_threads=1, fault_tol=1)
            count = len(self._reader)
        except Exception as error:  # its errors have no common class of their own
            raise self._failure(error) from error
        if count != table.info.frames:
            raise VideoDecodeError(table.path, f"decord counts {count} frames, the packets are {table.info.frames}")

    @staticmethod
    def problem() -> str | None:
        """See `Reader`."""
        try:
            importlib.import_module("decord")
        except (ImportError, OSError):
            return "decord is not installed"
        return None

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        try:
            batch = self._reader.get_batch(indices.tolist())
        except Exception as error:
            raise self._failure(error) from error
        # The type of the result depends on decord's process-wide bridge; importing pytorchvideo sets it to torch.
        frames = np.from_dlpack(_Lent(batch)) if hasattr(batch, "to_dlpack") else np.asarray(batch)
        if frames.shape[1:] != self._shape:
            raise VideoDecodeError(self._path, f"decord gives frames of {frames.shape[1:]}, not {self._shape}")
        out[:] = window.cut(frames)

    def close(self) -> None:
        """See `Reader`."""
        self._reader = None

    def _failure(self, error: Exception) -> VideoDecodeError:
        # decord's messages hold a time, a source line, the sentence that matters, and a C++ stack trace.
        reason = _SOURCE_LINE.sub("", str(error).strip().split("\n")[0]) or type(error).__name__
        return VideoDecodeError(self._path, f"decord cannot read it ({reason})")
