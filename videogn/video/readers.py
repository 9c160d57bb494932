"""The two decoders behind one interface: rising frame numbers to uint8 frames, forward through one open file."""

from __future__ import annotations

import importlib
import os
import re
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import av.error
import numpy as np
from av.video.reformatter import VideoReformatter

from videogn.video.scan import VideoScan
from videogn.video.stream import VideoDecodeError, explain, open_stream, pictures

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Decoding so many frames on costs about what a seek and refilling the decoder's queue of reordered frames do.
_SEEK_OVER = 8

_SOURCE_LINE = re.compile(r".*\.cc:\d+: |^\[[\d:]+\] ")


class Reader(Protocol):
    def frames(self, indices: np.ndarray) -> np.ndarray:
        """Rising int64 (N,) to uint8 (N, H, W, 3); VideoDecodeError if one cannot be had."""

    def close(self) -> None: ...


class PyAVReader:
    """Decodes forward, jumping to a key frame where that is shorter; keeps its position between calls."""

    def __init__(self, found: VideoScan) -> None:
        self._scan = found
        self._info = found.info
        self._reformatter = VideoReformatter()
        self._open = ExitStack()
        self._why = ""
        self._restart()

    def close(self) -> None:
        self._pictures.close()
        self._open.close()

    def frames(self, indices: np.ndarray) -> np.ndarray:
        out = np.empty((len(indices), self._info.height, self._info.width, 3), np.uint8)
        for row, index in enumerate(indices.tolist()):
            self._write(self._picture(index), out[row])
        return out

    def _restart(self) -> None:
        """Open the file anew; decode from its first key frame."""
        self._open.close()
        self._container, self._stream = self._open.enter_context(open_stream(self._scan.path))
        self._pictures = pictures(self._container, self._stream)
        self._position = -1  # of the frame decoded last
        self._usable = True

    def _seek(self, keyframe: int) -> None:
        """Decode from a key frame on."""
        assert self._scan.pts is not None
        pts = int(self._scan.pts[keyframe])
        self._pictures.close()
        self._pictures = pictures(self._container, self._stream, key_pts=pts)
        self._position = keyframe - 1
        try:
            self._container.seek(pts, stream=self._stream)
            self._usable = True
        except av.error.FFmpegError as error:
            self._usable, self._why = False, explain(error)

    def _picture(self, index: int) -> VideoFrame:
        """Frame `index`: decode on if it is near, else from the last key frame before it, and if that fails from 0."""
        if index >= self._scan.readable:
            raise self._failure(index, "the file is cut short")
        keyframe = int(np.searchsorted(self._scan.keyframes, index, side="right")) - 1
        start = int(self._scan.keyframes[keyframe]) if keyframe >= 0 else 0
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
                self._position = number
                if number == index and not picture.is_corrupt:
                    return picture
                if number >= index:
                    self._why = "its data are damaged" if number == index else self._why
                    return None
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self._why = explain(error)
        self._usable = False
        return None

    def _number(self, picture: VideoFrame) -> int | None:
        """Which frame a decoded picture is; None for one that the scan does not count."""
        if self._scan.pts is None:
            return self._position + 1
        if picture.pts is None:
            return None
        number = int(np.searchsorted(self._scan.pts, picture.pts))
        return number if number < len(self._scan.pts) and self._scan.pts[number] == picture.pts else None

    def _write(self, picture: VideoFrame, out: np.ndarray) -> None:
        """Convert to RGB, turn upright and copy to `out`, uint8 (H, W, 3)."""
        height, width = self._scan.height, self._scan.width  # the first frame's, should the size change on the way
        try:
            plane = self._reformatter.reformat(picture, width=width, height=height, format="rgb24").planes[0]
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise VideoDecodeError(self._scan.path, f"cannot be converted to RGB ({explain(error)})") from error
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[:height, : width * 3]
        out[:] = np.rot90(rows.reshape(height, width, 3), self._scan.rotation // 90)

    def _failure(self, index: int, why: str) -> VideoDecodeError:
        return VideoDecodeError(self._scan.path, f"frame {index} of {self._scan.frames} cannot be decoded ({why})")


def load_decord() -> Any:
    """The decord module, or None where it is not installed or does not load."""
    try:
        return importlib.import_module("decord")
    except (ImportError, OSError):
        return None


class DecordReader:
    """decord's reader behind the checks that it lacks."""

    def __init__(self, decord: Any, found: VideoScan) -> None:
        self._path = found.path
        self._shape = (found.info.height, found.info.width, 3)
        try:
            # With fault_tol=1 it raises where it would hand out a frame twice.
            path = os.path.abspath(found.path)
            self._reader = decord.VideoReader(path, ctx=decord.cpu(0), num_threads=1, fault_tol=1)
            count = len(self._reader)
        except Exception as error:  # its errors have no common class of their own
            raise self._failure(error) from error
        if count != found.frames:
            raise VideoDecodeError(found.path, f"decord counts {count} frames, the packets are {found.frames}")

    def close(self) -> None:
        self._reader = None

    def frames(self, indices: np.ndarray) -> np.ndarray:
        try:
            batch = self._reader.get_batch(indices.tolist())
            # What comes back depends on decord's process-wide bridge; importing pytorchvideo sets it to torch.
            frames = batch.asnumpy() if hasattr(batch, "asnumpy") else np.asarray(batch)
        except Exception as error:
            raise self._failure(error) from error
        if frames.shape[1:] != self._shape:
            raise VideoDecodeError(self._path, f"decord gives frames of {frames.shape[1:]}, not {self._shape}")
        return frames

    def _failure(self, error: Exception) -> VideoDecodeError:
        # Its messages are times, source lines, the sentence that matters, and a C++ stack trace.
        reason = _SOURCE_LINE.sub("", str(error).strip().split("\n")[0]) or type(error).__name__
        return VideoDecodeError(self._path, f"decord cannot read it ({reason})")
