"""A decoding process for tests that goes wrong on the videos whose names say so."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from unruly import Unruly

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.decoders.guard import Decoding


class UnrulyDecoding(Decoding):
    def __init__(self, descriptor: int, frame_rate: float) -> None:
        super().__init__(descriptor, frame_rate)
        self._name = ""

    def open(self, path: str, decoder: str) -> tuple[VideoInfo, str | None]:
        # "crash in frames of decord" goes wrong with that decoder only
        self._name = Path(path).stem.removesuffix(f" of {decoder}")
        self._misbehave("open")
        return super().open(path, decoder)

    def pixels(self, indices: np.ndarray, window: Crop) -> str | None:
        self._misbehave("frames")
        return super().pixels(indices, window)

    def _misbehave(self, where: str) -> None:
        if self._name == f"hang in {where}":
            Unruly().hang()
        if self._name == f"crash in {where}":
            Unruly().crash()
        if self._name == f"leave in {where}":
            os._exit(3)
