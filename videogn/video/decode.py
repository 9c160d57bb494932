"""A path and frame numbers to uint8 frames: the one door to decoding.

decord and PyAV give the same frames, bit for bit, of 8-bit H.264, HEVC, VP8, VP9 and MPEG-4. Where decord does not (see
`videogn.video.packets.decord_risk`) or is not installed, PyAV decodes.
"""

from __future__ import annotations

import functools
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from videogn.video.readers import DecordReader, PyAVReader, Reader, load_decord
from videogn.video.scan import VideoInfo, VideoScan, scan
from videogn.video.stream import VideoDecodeError

if TYPE_CHECKING:
    # Whatever numpy turns into a one-dimensional array of integers; a tensor on the CPU too.
    Indices = Sequence[int] | np.ndarray | Any

__all__ = ["DECODERS", "OpenVideo", "VideoDecodeError", "VideoInfo", "decode_frames", "open_video", "probe"]

DECODERS = ("auto", "decord", "pyav")

_log = logging.getLogger(__name__)


_NOT_INSTALLED = "decord is not installed"


@functools.lru_cache(maxsize=10_000)
def _say_once(level: int, path: str, reason: str) -> None:
    """A training opens its videos at every epoch; once is enough to know."""
    _log.log(level, "%sdecoding with PyAV (%s)", path, reason)


class OpenVideo:
    """An open video; `open_video` makes one.

    Attributes:
        info: its size, rate and number of frames.
        decoder: "decord" or "pyav", the one in use.
        fallback: why "auto" did not take, or gave up, decord; None where it did not have to.
    """

    def __init__(self, path: str | os.PathLike[str], decoder: str = "auto") -> None:
        if decoder not in DECODERS:
            raise ValueError(f"unknown decoder {decoder!r}; choose one of {', '.join(DECODERS)}")
        self._scan = scan(path)
        self._wanted = decoder
        self.info = self._scan.info
        self.decoder = "pyav"
        self.fallback: str | None = None
        self._backend: Reader = self._choose()

    def _choose(self) -> Reader:
        if self._wanted == "pyav":
            return PyAVReader(self._scan)
        decord = load_decord()
        risk = _NOT_INSTALLED if decord is None else self._scan.decord_risk
        if risk is None:
            try:
                backend = DecordReader(decord, self._scan)
            except VideoDecodeError as error:
                if self._wanted == "decord":
                    raise
                return self._fall_back(error.reason, logging.WARNING)
            self.decoder = "decord"
            return backend
        if self._wanted == "decord":
            raise VideoDecodeError(self._scan.path, f"not for decord ({risk}); use decoder='auto' or 'pyav'")
        return self._fall_back(risk, logging.INFO)

    def _fall_back(self, reason: str, level: int) -> Reader:
        _say_once(level, "" if reason == _NOT_INSTALLED else f"{self._scan.path}: ", reason)
        self.decoder, self.fallback = "pyav", reason
        return PyAVReader(self._scan)

    def frames(self, indices: Indices) -> np.ndarray:
        """Decode some frames. Calls with ever higher indices decode nothing twice.

        Args:
            indices: integers (N,) in [0, info.frames), strictly increasing.

        Returns:
            uint8 (N, H, W, 3), RGB.

        Raises:
            ValueError: no indices, indices out of range or not increasing.
            VideoDecodeError: a frame cannot be decoded.
        """
        wanted = _check(indices, self._scan)
        if np.any(np.diff(wanted) <= 0):
            raise ValueError("indices must be strictly increasing; decode_frames takes any order")
        try:
            return self._backend.frames(wanted)
        except VideoDecodeError as error:
            if self.decoder != "decord" or self._wanted == "decord":
                raise
            self._backend.close()
            self._backend = self._fall_back(error.reason, logging.WARNING)
            return self._backend.frames(wanted)

    def close(self) -> None:
        """Release the file; `open_video` does it on leaving."""
        self._backend.close()


def _check(indices: Indices, found: VideoScan) -> np.ndarray:
    """The indices as int64 (N,); ValueError if they are not integers, none, or out of range."""
    wanted = np.asarray(indices)
    if wanted.ndim != 1 or wanted.size == 0:
        raise ValueError(f"indices must be one-dimensional and not empty, their shape is {wanted.shape}")
    if wanted.dtype.kind not in "iu":
        raise ValueError(f"indices must be integers, not {wanted.dtype}")
    outside = wanted[(wanted < 0) | (wanted >= found.frames)]
    if outside.size:
        raise ValueError(f"index {outside[0]} is out of range: {found.path} has {found.frames} frames")
    return wanted.astype(np.int64)


@contextmanager
def open_video(path: str | os.PathLike[str], decoder: str = "auto") -> Iterator[OpenVideo]:
    """Open a video to decode frames of it in several calls. Open it in the process that reads it.

    Args:
        path: the file.
        decoder: "auto" takes decord where it is installed and exact for this file, else PyAV; "decord" and "pyav" take
            only that one.

    Yields:
        The open video.

    Raises:
        ValueError: an unknown decoder.
        VideoDecodeError: the file cannot be read, or not by "decord" when that was asked for.
    """
    video = OpenVideo(path, decoder)
    try:
        yield video
    finally:
        video.close()


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """A video's number of frames, rate and displayed size, from its packets and its first picture.

    Args:
        path: the file.

    Returns:
        The facts. Of a file that is cut short, `frames` counts the lost ones too where the file lists them.

    Raises:
        VideoDecodeError: the file cannot be read.
    """
    return scan(path).info


def decode_frames(path: str | os.PathLike[str], indices: Indices, decoder: str = "auto") -> np.ndarray:
    """Decode frames by their numbers; each needed frame is decoded once.

    Args:
        path: the file.
        indices: integers (N,) in [0, frames) in any order, repeated or not; a list, an array or a tensor on the CPU.
        decoder: one of `DECODERS`, see `open_video`.

    Returns:
        uint8 (N, H, W, 3), RGB, in the order of `indices`.

    Raises:
        ValueError: an unknown decoder, no indices, or indices out of range.
        VideoDecodeError: the file or one of the frames cannot be decoded.
    """
    with open_video(path, decoder) as video:
        wanted = _check(indices, video._scan)
        unique, inverse = np.unique(wanted, return_inverse=True)
        frames = video.frames(unique)
    return frames if np.array_equal(unique, wanted) else frames[inverse]
