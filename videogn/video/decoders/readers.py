"""The decoders behind one interface, by name; each is imported only when it is asked for."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Protocol, get_args

import numpy as np

from videogn.axes import Crop
from videogn.checks import check_choice
from videogn.choices import DecoderName
from videogn.video.errors import NotExactError

if TYPE_CHECKING:
    from videogn.video.decoders.frame_table import FrameTable
    from videogn.video.decoders.stream import OpenStream


class Reader(Protocol):
    """A video file opened by one decoder.

    Args:
        table: Frame table of the file.
        opened: Stream that the table was read from. It stays open as long as the reader.

    Raises:
        NotExactError: If the decoder is not exact on this file.
        VideoDecodeError: If the decoder cannot be used here.
    """

    def __init__(self, table: FrameTable, opened: OpenStream) -> None: ...

    @staticmethod
    def problem() -> str | None:
        """Return why the decoder cannot be used on this machine, or None."""

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """Decode frames into an array.

        Args:
            indices: int64 (N,), strictly increasing, in [0, frames).
            window: Rectangle of the upright picture as stored, not stretched to displayed proportions.
            out: uint8 (N, window.height, window.width, 3), written in place.

        Raises:
            NotExactError: If the decoder is not exact on this file.
            VideoDecodeError: If a frame cannot be decoded.
        """

    def close(self) -> None:
        """Release the file."""


#: Decoder -> "module:class" of its reader.
READERS = {
    # Always installed. Reads every file that FFmpeg reads, and says which frames are damaged.
    "pyav": "videogn.video.decoders.pyav_reader:PyAVReader",
    # FFmpeg 4.1. Files of which it gives other frames go to PyAV.
    "decord": "videogn.video.decoders.decord_reader:DecordReader",
    # Optional; needs FFmpeg's shared libraries. Files of which it gives other frames go to PyAV.
    "torchcodec": "videogn.video.decoders.torchcodec_reader:TorchcodecReader",
}
#: The decoder of "auto". Of 616 files with random damage decord passes a wrong frame in 233, PyAV in 196; ten clips of
#: 32 x 2 of a Kinetics file take PyAV 118 ms and decord 161 ms on one core.
AUTO = "pyav"
DECODERS = get_args(DecoderName)


def reader_class(decoder: str) -> type[Reader]:
    """Import the reader of a decoder.

    Args:
        decoder: Key of `READERS`.
    """
    module, name = READERS[decoder].split(":")
    reader: type[Reader] = getattr(importlib.import_module(module), name)
    return reader


def open_reader(decoder: str, table: FrameTable, opened: OpenStream | None) -> Reader:
    """Open a reader.

    Args:
        decoder: Key of `READERS`.
        table: Frame table of the video.
        opened: Stream that the table was read from. It stays open as long as the reader.

    Raises:
        NotExactError: If the decoder is not exact on this file.
        VideoDecodeError: If the decoder cannot be used here.
    """
    if opened is not None:
        return reader_class(decoder)(table, opened)
    if decoder != AUTO:
        raise NotExactError(table.path, "its frames are image files")
    reader: Reader = importlib.import_module("videogn.video.decoders.image_reader").ImageReader(table)
    return reader


def check_decoder(decoder: str) -> None:
    """Refuse a decoder that cannot be used on this machine, before the first video is opened.

    Args:
        decoder: One of `DECODERS`.

    Raises:
        ValueError: If there is no such decoder, or it is not installed.
    """
    check_choice("decoder", decoder, DECODERS)
    if (problem := reader_class(AUTO if decoder == "auto" else decoder).problem()) is not None:
        raise ValueError(problem)
