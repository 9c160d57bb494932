"""Frames by index with decord, if it is asked for, behind the checks that it lacks."""

from __future__ import annotations

import importlib
import io
from typing import Any

import numpy as np

from videogn.video.decoders.foreign_reader import ForeignReader
from videogn.video.decoders.frame_table import FrameTable


class _Lent:
    """The memory of a decord array, shared with NumPy without a copy."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack__(self, **_: Any) -> Any:
        return self._array.to_dlpack()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU


class DecordReader(ForeignReader):
    """See `ForeignReader`."""

    name = "decord"

    @staticmethod
    def problem() -> str | None:
        """See `Reader`."""
        try:
            importlib.import_module("decord")
        except (ImportError, OSError):
            return "decord is not installed"
        return None

    def risk(self, table: FrameTable) -> str | None:
        """See `ForeignReader`."""
        return table.decord_risk

    def open(self, table: FrameTable) -> Any:
        """See `ForeignReader`."""
        decord: Any = importlib.import_module("decord")
        source = table.source if isinstance(table.source, str) else io.BytesIO(table.source)
        # With fault_tol=1 it raises an error where it would otherwise repeat a frame.
        return decord.VideoReader(source, ctx=decord.cpu(0), num_threads=1, fault_tol=1)

    def decode(self, indices: np.ndarray) -> np.ndarray:
        """See `ForeignReader`."""
        batch = self._decoder.get_batch(indices.tolist())
        # The type of the result depends on decord's process-wide bridge; importing pytorchvideo sets it to torch.
        return np.from_dlpack(_Lent(batch)) if hasattr(batch, "to_dlpack") else np.asarray(batch)
