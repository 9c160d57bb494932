"""The decoders behind one interface, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np

from videogn.axes import Crop
from videogn.checks import check_choice
from videogn.video.decoders import decord_reader, torchcodec_reader
from videogn.video.decoders.decord_reader import DecordReader
from videogn.video.decoders.frame_table import VideoScan
from videogn.video.decoders.pyav_reader import PyAVReader
from videogn.video.decoders.torchcodec_reader import TorchcodecReader

if TYPE_CHECKING:
    from videogn.video.decoders.stream import OpenStream


class Reader(Protocol):
    """An open file."""

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """Decode frames.

        Args:
            indices: int64 (N,), strictly increasing, in [0, frames).
            window: the rectangle of the upright picture that is wanted.
            out: uint8 (N, window.height, window.width, 3), written to.

        Raises:
            VideoDecodeError: one of them cannot be had.
        """

    def close(self) -> None:
        """Release the file."""


#: Decoder -> (scan of a file, the stream that it was made of) -> reader. The stream stays open as long as the reader.
READERS: dict[str, Callable[[VideoScan, OpenStream], Reader]] = {
    # Always there; reads every file that FFmpeg reads, and says which frames are damaged.
    "pyav": PyAVReader,
    # FFmpeg 4.1; refused by name for the files of which it gives other frames.
    "decord": lambda found, _: DecordReader(found),
    # An optional extra; needs FFmpeg's shared libraries, and is refused likewise.
    "torchcodec": lambda found, _: TorchcodecReader(found),
}
#: What "auto" is. Of 616 files with random damage decord passes a wrong frame in 233, PyAV in 196; ten clips of 32 x 2
#: of a Kinetics file take PyAV 118 ms and decord 161 ms of one core.
AUTO = "pyav"
DECODERS = ("auto", *READERS)

_PROBLEMS: dict[str, Callable[[], str | None]] = {
    "decord": decord_reader.problem,
    "torchcodec": torchcodec_reader.problem,
}


def check_decoder(decoder: str) -> None:
    """Refuse a decoder that cannot work here, before the first video is met.

    Args:
        decoder: "auto" or a key of READERS.

    Raises:
        ValueError: no such decoder, or it is not installed.
    """
    check_choice("decoder", decoder, DECODERS)
    problem = _PROBLEMS.get(decoder, lambda: None)()
    if problem is not None:
        raise ValueError(problem)
