"""Frames by index with a decoder that opens files itself; every answer is compared with the frame table."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from videogn.axes import Crop
from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.stream import OpenStream
from videogn.video.errors import NotExactError, VideoDecodeError, explain

#: Beginning of decord's messages: time, and source file with line.
_SOURCE_LINE = re.compile(r".*\.cc:\d+: |^\[[\d:]+\] ")


class ForeignReader(ABC):
    """A `Reader` that refuses a file if the decoder is known to be wrong on it, or counts or shapes frames otherwise.

    A subclass names the decoder, and defines `problem`, `risk`, `open` and `decode`.

    Args:
        table: Frame table of the file.
        opened: Unused; the decoder opens the file itself.

    Raises:
        NotExactError: If the decoder is not exact on this file; also when frames are read.
        VideoDecodeError: If the decoder cannot be used here.
    """

    name: ClassVar[str]

    def __init__(self, table: FrameTable, opened: OpenStream) -> None:
        self._table = table
        if (missing := self.problem()) is not None:
            raise VideoDecodeError(table.path, missing)
        if (risk := self.risk(table)) is not None:
            raise self._refusal(risk)
        with self._failing():
            self._decoder = self.open(table)
            count = len(self._decoder)
        if count != table.info.frames:
            raise self._refusal(f"it counts {count} frames, the packets are {table.info.frames}")

    @staticmethod
    @abstractmethod
    def problem() -> str | None:
        """See `Reader`."""

    @abstractmethod
    def risk(self, table: FrameTable) -> str | None:
        """Return why the decoder would fail or give wrong frames on a file, or None."""

    @abstractmethod
    def open(self, table: FrameTable) -> Any:
        """Open the file; the length of the result is the number of its frames."""

    @abstractmethod
    def decode(self, indices: np.ndarray) -> np.ndarray:
        """Return frames, uint8 (N, H, W, 3), of int64 indices (N,) from what `open` returned, `self._decoder`."""

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        with self._failing():
            frames = self.decode(indices)
        shape = (*self._table.info.stored_size, 3)
        if frames.shape[1:] != shape:
            raise self._refusal(f"it gives frames of {frames.shape[1:]}, not {shape}")
        out[:] = window.cut(frames)

    def close(self) -> None:
        """See `Reader`."""
        self._decoder = None

    @contextmanager
    def _failing(self) -> Iterator[None]:
        """Turn any error into a refusal of the file: the decoders' errors have no common class."""
        try:
            yield
        except VideoDecodeError:
            raise
        except Exception as error:
            words = _SOURCE_LINE.sub("", explain(error)) or type(error).__name__
            raise self._refusal(f"{self.name} fails ({words})") from error

    def _refusal(self, reason: str) -> NotExactError:
        return NotExactError(self._table.path, reason)
