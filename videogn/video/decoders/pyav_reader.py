"""Frames by index with PyAV, which is always installed and reads every file that FFmpeg reads."""

from __future__ import annotations

from contextlib import ExitStack

import av.error
import numpy as np
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter

from videogn.axes import Crop
from videogn.video.decoders.frame_table import FrameTable
from videogn.video.decoders.stream import OpenStream, is_intra, open_stream, pictures
from videogn.video.decoders.unneeded import Unneeded
from videogn.video.errors import VideoDecodeError, explain

# Decoding this many frames costs about as much as a seek, after which the queue of reordered frames has to fill again.
_SEEK_OVER = 8


class PyAVReader:
    """Decodes forward, and jumps to a key frame where that is shorter; keeps its position between calls.

    Args:
        table: Frame table of the file.
        opened: Stream that the table was read from. The caller closes it after the reader.
    """

    def __init__(self, table: FrameTable, opened: OpenStream) -> None:
        self._table = table
        self._keyframes = table.keyframes
        self._starts = frozenset(table.keyframes.tolist())
        self._reformatter = VideoReformatter()
        self._open = ExitStack()
        self._why = ""
        self._container, self._stream = opened
        self._unneeded = Unneeded(table, self._stream)
        if 0 in self._starts and not table.leaving_out:
            self._seek(0)
        else:
            self._restart()

    @staticmethod
    def problem() -> str | None:
        """See `Reader`."""
        return None

    def close(self) -> None:
        """See `Reader`."""
        self._pictures.close()
        self._open.close()

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        self._unneeded.want(indices)
        for row, index in enumerate(indices.tolist()):
            self._write(self._picture(index), window, out[row])

    def _restart(self) -> None:
        """Open the file again and decode from its first key frame."""
        self._open.close()
        self._container, self._stream = self._open.enter_context(open_stream(self._table.path, self._table.source))
        self._pictures = pictures(
            self._container,
            self._stream,
            unmarked=self._table.unmarked,
            leaving_out=self._table.leaving_out,
            unneeded=self._unneeded,
        )
        self._sought = -1
        self._position = -1  # index of the frame decoded last
        self._damaged = False  # a frame since the last start is damaged, and those after it are built upon it
        self._usable = True

    def _seek(self, keyframe: int) -> None:
        """Decode from a key frame on."""
        assert self._table.pts is not None
        pts = int(self._table.pts[keyframe])
        self._pictures = pictures(self._container, self._stream, key_pts=pts, unneeded=self._unneeded)
        self._position = keyframe - 1
        self._sought = keyframe  # and not yet decoded
        self._damaged = False
        try:
            self._container.seek(pts, stream=self._stream)
            self._usable = True
        except av.error.FFmpegError as error:
            self._usable, self._why = False, explain(error)

    def _picture(self, index: int) -> VideoFrame:
        """Frame `index`: with the pictures that it needs, and if that fails with all of them."""
        if index >= self._table.readable:
            raise self._failure(index, "the file is cut short")
        picture = self._found(index)
        if picture is None and self._unneeded.active:
            self._unneeded.active = self._usable = False
            picture = self._found(index)
        if picture is None:
            raise self._failure(index, self._why)
        return picture

    def _found(self, index: int) -> VideoFrame | None:
        """Frame `index`: decode on if it is near, else from the last key frame before it, and if that fails from 0."""
        keyframe = int(np.searchsorted(self._keyframes, index, side="right")) - 1
        start = int(self._keyframes[keyframe]) if keyframe >= 0 else 0
        picture = None
        if self._usable and self._position < index and start <= self._position + _SEEK_OVER:
            picture = self._advance(index)
        if picture is None and start > 0:
            self._seek(start)
            picture = self._advance(index)
        if picture is None:
            self._restart()
            picture = self._advance(index)
        return picture

    def _advance(self, index: int) -> VideoFrame | None:
        """Decode up to frame `index`; None, and the reason in `_why`, if it does not come out whole."""
        self._why = "the decoder gives no picture for it"
        if not self._usable:
            return None
        try:
            for picture in self._pictures:
                number = self._number(picture)
                if number is None:
                    continue
                if number == self._sought and not is_intra(picture):
                    self._distrust()
                    return None
                self._position = number
                self._damaged = picture.is_corrupt or (self._damaged and number not in self._starts)
                if number == index and not self._damaged:
                    return picture
                if number >= index:
                    self._why = "its data are damaged" if number == index else self._why
                    return None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._why = explain(error)
        self._usable = False
        return None

    def _distrust(self) -> None:
        """Stop seeking: a frame marked as a key frame depends on others."""
        self._keyframes = self._keyframes[:1]
        self._starts = frozenset(self._keyframes.tolist())
        self._usable = False

    def _number(self, picture: VideoFrame) -> int | None:
        """Index of a decoded picture; None if the frame table does not have it."""
        return self._position + 1 if self._table.pts is None else self._table.index_of(picture.pts)

    def _write(self, picture: VideoFrame, window: Crop, out: np.ndarray) -> None:
        """Convert to RGB, turn upright and copy a window of it to `out`, uint8 (h, w, 3)."""
        height, width = self._table.coded_size  # the first frame's, should the size change on the way
        try:
            converted = self._reformatter.reformat(picture, width=width, height=height, format="rgb24", threads=1)
            plane = converted.planes[0]
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoDecodeError(self._table.path, f"cannot be converted to RGB ({explain(error)})") from error
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        upright = np.rot90(rows.reshape(height, width, 3), self._table.info.rotation // 90)
        out[:] = window.cut(upright)

    def _failure(self, index: int, why: str) -> VideoDecodeError:
        return VideoDecodeError(
            self._table.path, f"frame {index} of {self._table.info.frames} cannot be decoded ({why})"
        )
