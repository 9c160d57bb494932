"""Frames by index with torchcodec, if it is asked for, compared with the frame table by number and time."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from videogn.video.decoders.foreign_reader import ForeignReader
from videogn.video.decoders.frame_table import FrameTable


class TorchcodecReader(ForeignReader):
    """See `ForeignReader`. The times of the frames are compared too."""

    name = "torchcodec"

    @staticmethod
    @functools.cache
    def problem() -> str | None:
        """See `Reader`. torchcodec can be installed without FFmpeg's libraries, which it needs.

        Up to some version it cannot be imported then; since it decodes images without them (0.17), it can.
        """
        try:
            found = getattr(importlib.import_module("torchcodec"), "ffmpeg_major_version", "imported")
            importlib.import_module("torchcodec.decoders")
        except ImportError:
            return "torchcodec is not installed: pip install 'videogn[torchcodec]'"
        except (RuntimeError, OSError):
            found = None
        return "torchcodec finds no FFmpeg libraries (versions 4 to 9); install FFmpeg" if found is None else None

    def risk(self, table: FrameTable) -> str | None:
        """See `ForeignReader`."""
        if table.pts is None:
            return "time stamps do not tell its frames apart"
        return "the file is cut short" if table.readable < table.info.frames else table.colour_risk

    def open(self, table: FrameTable) -> Any:
        """See `ForeignReader`."""
        decoders = importlib.import_module("torchcodec.decoders")
        options = {"num_ffmpeg_threads": 1, "seek_mode": "exact", "dimension_order": "NHWC"}
        return decoders.VideoDecoder(table.source, stream_index=table.stream, **options)

    def decode(self, indices: np.ndarray) -> np.ndarray:
        """See `ForeignReader`."""
        assert self._table.pts is not None
        batch = self._decoder.get_frames_at(indices.tolist())
        tick = float(self._table.time_base)  # seconds
        off = np.abs(batch.pts_seconds.numpy() - self._table.pts[indices] * tick) > tick / 2
        if off.any():
            raise self._refusal(f"it gives another frame for {indices[off.argmax()]}")
        frames: np.ndarray = batch.data.numpy()
        return frames
