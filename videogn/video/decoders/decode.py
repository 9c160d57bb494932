"""A path and frame indices to uint8 frames: the one door to decoding.

PyAV decodes unless another decoder is asked for by name. The others give the same frames, bit for bit; a file on which
one of them does not is decoded by PyAV instead, and `OpenVideo.fallback` says why.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from videogn.axes import Crop
from videogn.checks import check_choice
from videogn.choices import FRAME_RATE
from videogn.video.decoders.frame_source import FrameSource, check_window
from videogn.video.decoders.frame_table import VideoInfo, open_frame_table
from videogn.video.decoders.readers import AUTO, DECODERS, open_reader
from videogn.video.errors import NotExactError, VideoDecodeError, reading
from videogn.video.held_file import HeldFile

if TYPE_CHECKING:
    # Anything that numpy makes a one-dimensional array of integers from, including a tensor on the CPU.
    Indices = Sequence[int] | np.ndarray | Any


class OpenVideo(FrameSource):
    """An open video file; see `open_video`.

    Attributes:
        info: Number of frames, rate and size.
        decoder: Decoder in use: "pyav", "decord" or "torchcodec".
        fallback: Reason why PyAV took the place of the decoder that was asked for, or None.
    """

    def __init__(self, path: str | os.PathLike[str], decoder: str = "auto", frame_rate: float = FRAME_RATE) -> None:
        check_choice("decoder", decoder, DECODERS)
        self.decoder = AUTO if decoder == "auto" else decoder
        self._file = SameFile(path)
        with reading(path), ExitStack() as opened:
            self._table, self._stream = opened.enter_context(open_frame_table(path, frame_rate))
            self.info = self._table.info
            try:
                self._reader = open_reader(self.decoder, self._table, self._stream)
            except NotExactError as error:
                self._fall_back(error)
            self._file.check()
            self._opened = opened.pop_all()

    def pixels(self, indices: Indices, window: Crop | None = None, out: np.ndarray | None = None) -> np.ndarray:
        """Decode frames, not stretched to displayed proportions; see `frames`.

        Args:
            indices: Frame indices, integers (N,) in [0, info.frames), strictly increasing.
            window: Rectangle of the upright picture of `info.stored_size`; its `flip` is ignored. Default: all of it.
            out: uint8 (N, h, w, 3) to write to. Default: a new array.

        Returns:
            RGB frames, uint8 (N, h, w, 3), with the height and width of the window; `out` if it was given.

        Raises:
            ValueError: If the indices are empty, out of range or not increasing, or the window exceeds the picture.
            VideoDecodeError: If a frame cannot be decoded, or the file changes meanwhile.
        """
        wanted = check_indices(indices, self.info, self._table.path)
        if np.any(np.diff(wanted) <= 0):
            raise ValueError("indices must be strictly increasing; decode_frames takes any order")
        window = check_window(window, *self.info.stored_size)
        if out is None:
            out = np.empty((len(wanted), window.height, window.width, 3), np.uint8)
        with reading(self._table.path):
            try:
                self._reader.read(wanted, window, out)
            except NotExactError as error:
                self._reader.close()
                self._fall_back(error)
                self._reader.read(wanted, window, out)
            self._file.check()
        return out

    def times(self) -> np.ndarray:
        """See `FrameSource.times`."""
        return self._table.times()

    def intact(self) -> np.ndarray:
        """See `FrameSource.intact`."""
        # Asked of damaged files only.
        from videogn.video.decoders.decoded_file import DecodedFile
        from videogn.video.decoders.decoded_images import DecodedImages

        with reading(self._table.path):
            decoded = DecodedFile(self._table) if self._table.images is None else DecodedImages(self._table)
            self._file.check()
        return np.array(sorted(decoded.whole), np.int64)

    def close(self) -> None:
        """Release the file."""
        self._reader.close()
        self._opened.close()

    def _fall_back(self, error: NotExactError) -> None:
        """Go on with PyAV, which reads every file exactly or says what is damaged."""
        self.decoder, self.fallback = AUTO, error.reason
        self._reader = open_reader(AUTO, self._table, self._stream)


class SameFile:
    """Tells whether a file is still the one that was there when this was made.

    A reader goes by the table that was read when the file was opened, and opens it again where it cannot go back: of a
    file that was replaced meanwhile, the frames would be those of two videos.

    Args:
        path: File. Anything else (a folder of images, a member of a shard, a URL, bytes in memory) never changes here:
            it is read at once, or image by image.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        self._before = None if isinstance(path, HeldFile) else _state(path)

    def check(self) -> None:
        """Check it. A file that is gone is no error: what is open of it stays whole.

        Raises:
            VideoDecodeError: It was replaced, or written to.
        """
        if self._before is not None and _state(self._path) not in (None, self._before):
            raise VideoDecodeError(self._path, "it changed while it was being decoded")


def _state(path: str | os.PathLike[str]) -> tuple[int, ...] | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(found.st_mode):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def check_indices(indices: Indices, info: VideoInfo, path: str | os.PathLike[str]) -> np.ndarray:
    """Convert frame indices to int64 (N,).

    Args:
        indices: Integers (N,).
        info: Facts of the video.
        path: File, for error messages.

    Raises:
        ValueError: If they are not integers, empty or out of range.
    """
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
def open_video(
    path: str | os.PathLike[str], decoder: str = "auto", frame_rate: float = FRAME_RATE
) -> Iterator[OpenVideo]:
    """Open a video to decode frames of it in several calls. Open it in the process that reads it.

    Args:
        path: File, member of a tar shard, or URL of either, see `videogn.video.storage`; or a folder of numbered
            images, such as img_00001.jpg.
        decoder: Decoder: "auto" (PyAV), "pyav", "decord" or "torchcodec". PyAV takes its place, and `fallback` of the
            open video says why, for a file on which it is not exact. Default: "auto".
        frame_rate: Frames per second of a folder of images. Default: 25.

    Yields:
        The open video.

    Raises:
        ValueError: If the decoder is unknown.
        VideoDecodeError: If the file cannot be read, or the decoder is not installed.
    """
    video = OpenVideo(path, decoder, frame_rate)
    try:
        yield video
    finally:
        video.close()


def decode_frames(path: str | os.PathLike[str], indices: Indices, decoder: str = "auto") -> np.ndarray:
    """Decode frames by their indices. Each distinct frame is decoded once.

    Args:
        path: File, member of a tar shard, or URL of either, see `videogn.video.storage`; or a folder of numbered
            images.
        indices: Frame indices, integers (N,) in [0, frames), in any order and possibly repeated: a list, an array or a
            tensor on the CPU.
        decoder: Decoder: "auto" (PyAV), "pyav", "decord" or "torchcodec". PyAV takes its place for a file on which it
            is not exact. Default: "auto".

    Returns:
        RGB frames, uint8 (N, H, W, 3), in the order of `indices`, upright and in displayed proportions.

    Raises:
        ValueError: If the decoder is unknown, or the indices are empty or out of range.
        VideoDecodeError: If the file or one of the frames cannot be decoded.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from videogn.video import decode_frames
        >>> from videogn.video.encode import write_video
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "grey.mp4")
        ...     write_video(path, np.full((8, 32, 48, 3), 128, np.uint8))
        ...     frames = decode_frames(path, [0, 7, 7])
        >>> frames.shape, frames.dtype
        ((3, 32, 48, 3), dtype('uint8'))
    """
    with open_video(path, decoder) as video:
        wanted = check_indices(indices, video.info, path)
        unique, inverse = np.unique(wanted, return_inverse=True)
        frames = video.frames(unique)
    return frames if np.array_equal(unique, wanted) else frames[inverse]
