"""Frames by number with PyAV, which is always there and reads every file that FFmpeg reads."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from videogn.axes import Crop
from videogn.video.decoders.frame_table import VideoScan
from videogn.video.decoders.stream import is_intra, open_stream, pictures
from videogn.video.errors import VideoDecodeError, explain

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from videogn.video.decoders.stream import OpenStream

# Decoding so many frames on costs about what a seek and refilling the decoder's queue of reordered frames do.
_SEEK_OVER = 8


class PyAVReader:
    """Decodes forward, jumping to a key frame where that is shorter; keeps its position between calls.

    Args:
        found: the scan of the file.
        opened: the stream that it was made of, which whoever opened it closes after the reader.
    """

    def __init__(self, found: VideoScan, opened: OpenStream) -> None:
        self._scan = found
        self._keyframes = found.keyframes
        self._starts = frozenset(found.keyframes.tolist())
        self._reformatter = VideoReformatter()
        self._open = ExitStack()
        self._why = ""
        self._container, self._stream = opened
        if 0 in self._starts:
            self._seek(0)
        else:
            self._restart()

    def close(self) -> None:
        """See `Reader`."""
        self._pictures.close()
        self._open.close()

    def read(self, indices: np.ndarray, window: Crop, out: np.ndarray) -> None:
        """See `Reader`."""
        for row, index in enumerate(indices.tolist()):
            self._write(self._picture(index), window, out[row])

    def _restart(self) -> None:
        """Open the file anew; decode from its first key frame."""
        self._open.close()
        self._container, self._stream = self._open.enter_context(open_stream(self._scan.path, self._scan.source))
        self._pictures = pictures(self._container, self._stream, unmarked=self._scan.unmarked)
        self._sought = -1
        self._position = -1  # of the frame decoded last
        self._damaged = False  # a frame since the last start is, and those after it are built upon it
        self._usable = True

    def _seek(self, keyframe: int) -> None:
        """Decode from a key frame on."""
        assert self._scan.pts is not None
        pts = int(self._scan.pts[keyframe])
        self._pictures = pictures(self._container, self._stream, key_pts=pts)
        self._position = keyframe - 1
        self._sought = keyframe  # and not yet decoded
        self._damaged = False
        try:
            self._container.seek(pts, stream=self._stream)
            self._usable = True
        except av.error.FFmpegError as error:
            self._usable, self._why = False, explain(error)

    def _picture(self, index: int) -> VideoFrame:
        """Frame `index`: decode on if it is near, else from the last key frame before it, and if that fails from 0."""
        if index >= self._scan.readable:
            raise self._failure(index, "the file is cut short")
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
        if picture is None:
            raise self._failure(index, self._why)
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
        """Jump no more: what is marked as a key frame is built upon others."""
        self._keyframes = self._keyframes[:1]
        self._starts = frozenset(self._keyframes.tolist())
        self._usable = False

    def _number(self, picture: VideoFrame) -> int | None:
        """Which frame a decoded picture is; None for one that the scan does not count."""
        if self._scan.pts is None:
            return self._position + 1
        if picture.pts is None:
            return None
        number = int(np.searchsorted(self._scan.pts, picture.pts))
        return number if number < len(self._scan.pts) and self._scan.pts[number] == picture.pts else None

    def _write(self, picture: VideoFrame, window: Crop, out: np.ndarray) -> None:
        """Convert to RGB, turn upright and copy a window of it to `out`, uint8 (h, w, 3)."""
        height, width = self._scan.height, self._scan.width  # the first frame's, should the size change on the way
        try:
            plane = self._reformatter.reformat(picture, width=width, height=height, format="rgb24").planes[0]
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoDecodeError(self._scan.path, f"cannot be converted to RGB ({explain(error)})") from error
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        upright = np.rot90(rows.reshape(height, width, 3), self._scan.rotation // 90)
        out[:] = upright[window.top : window.top + window.height, window.left : window.left + window.width]

    def _failure(self, index: int, why: str) -> VideoDecodeError:
        return VideoDecodeError(self._scan.path, f"frame {index} of {self._scan.frames} cannot be decoded ({why})")
