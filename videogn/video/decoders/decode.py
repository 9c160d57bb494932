"""A path and frame numbers to uint8 frames: the one door to decoding.

PyAV decodes unless another decoder is asked for by name. Those give the same frames, bit for bit, or are refused with
the reason: see `videogn.video.decoders.readers`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from videogn.axes import Crop
from videogn.checks import check_choice
from videogn.video.decoders.frame_table import VideoInfo, open_scanned, scan
from videogn.video.decoders.readers import AUTO, DECODERS, READERS, check_decoder
from videogn.video.errors import VideoDecodeError, reading

if TYPE_CHECKING:
    # Whatever numpy turns into a one-dimensional array of integers; a tensor on the CPU too.
    Indices = Sequence[int] | np.ndarray | Any

__all__ = [
    "DECODERS",
    "OpenVideo",
    "VideoDecodeError",
    "VideoInfo",
    "check_decoder",
    "decode_frames",
    "open_video",
    "probe",
]


class OpenVideo:
    """An open video; `open_video` makes one.

    Attributes:
        info: its size, rate and number of frames.
        decoder: "pyav", "decord" or "torchcodec", the one in use.
    """

    def __init__(self, path: str | os.PathLike[str], decoder: str = "auto") -> None:
        check_choice("decoder", decoder, DECODERS)
        self.decoder = AUTO if decoder == "auto" else decoder
        with reading(path), ExitStack() as opened:
            found, stream = opened.enter_context(open_scanned(path))
            self.info = found.info
            self._path = found.path
            self._reader = READERS[self.decoder](found, stream)
            self._opened = opened.pop_all()

    def frames(self, indices: Indices, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Decode some frames. Calls with ever higher indices decode nothing twice.

        Args:
            indices: integers (N,) in [0, info.frames), strictly increasing.
            window: the rectangle of the upright picture that is wanted (whether it is mirrored does not matter here);
                None for all of it.
            out: uint8 (N, h, w, 3) to write to; None for a new array.

        Returns:
            uint8 (N, h, w, 3), RGB; `out` where given. The height and width are those of the window.

        Raises:
            ValueError: no indices, indices out of range or not increasing, or a window beyond the picture.
            VideoDecodeError: a frame cannot be decoded.
        """
        wanted = check_indices(indices, self.info, self._path)
        if np.any(np.diff(wanted) <= 0):
            raise ValueError("indices must be strictly increasing; decode_frames takes any order")
        window = check_window(window, self.info)
        if out is None:
            out = np.empty((len(wanted), window.height, window.width, 3), np.uint8)
        with reading(self._path):
            self._reader.read(wanted, window, out)
        return out

    def close(self) -> None:
        """Release the file; `open_video` does it on leaving."""
        self._reader.close()
        self._opened.close()


def check_window(window: Crop | None, info: VideoInfo) -> Crop:
    """The rectangle that is wanted of a video's upright pictures.

    Args:
        window: None for all of it.
        info: of the video.

    Returns:
        The window.

    Raises:
        ValueError: it is empty or does not lie in the picture.
    """
    if window is None:
        return Crop(0, 0, info.height, info.width)
    if not (
        0 <= window.top < window.top + window.height <= info.height
        and 0 <= window.left < window.left + window.width <= info.width
    ):
        raise ValueError(f"the window must lie in the picture of {info.height} x {info.width}, got {window}")
    return window


def check_indices(indices: Indices, info: VideoInfo, path: str | os.PathLike[str]) -> np.ndarray:
    """The indices as int64 (N,); ValueError if they are not integers, none, or out of range."""
    wanted = np.asarray(indices)
    if wanted.ndim != 1 or wanted.size == 0:
        raise ValueError(f"indices must be one-dimensional and not empty, their shape is {wanted.shape}")
    if wanted.dtype.kind not in "iu":
        raise ValueError(f"indices must be integers, not {wanted.dtype}")
    outside = wanted[(wanted < 0) | (wanted >= info.frames)]
    if outside.size:
        raise ValueError(f"index {outside[0]} is out of range: {path} has {info.frames} frames")
    return wanted.astype(np.int64)


@contextmanager
def open_video(path: str | os.PathLike[str], decoder: str = "auto") -> Iterator[OpenVideo]:
    """Open a video to decode frames of it in several calls. Open it in the process that reads it.

    Args:
        path: the file, a member of a shard, or a URL of either; see `videogn.video.storage`.
        decoder: one of `DECODERS`.

    Yields:
        The open video.

    Raises:
        ValueError: an unknown decoder.
        VideoDecodeError: the file cannot be read, or not by the decoder asked for.
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
        wanted = check_indices(indices, video.info, path)
        unique, inverse = np.unique(wanted, return_inverse=True)
        frames = video.frames(unique)
    return frames if np.array_equal(unique, wanted) else frames[inverse]
