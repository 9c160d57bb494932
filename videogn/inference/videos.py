"""What a predictor takes for a video: a name, a record of an index, an open file, or frames in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videogn.axes import VideoRecord
from videogn.checks import require_positive
from videogn.data.lists.segments import named_video
from videogn.data.stored_paths import opened_path
from videogn.video.decoders.cache import DecodedVideo
from videogn.video.decoders.frame_source import FrameSource, Opener
from videogn.video.decoders.frame_table import VideoInfo
from videogn.video.held_file import HeldFile


@dataclass(frozen=True, eq=False)
class VideoArray:
    """Frames of a video in memory.

    Args:
        frames: RGB frames, uint8 (T, H, W, 3): an array, or a tensor on the CPU.
        fps: Frames per second. Networks that take clips at a rate of their own need it, and the times of clips.
        name: What predictions call it. Default: "array".

    Raises:
        ValueError: The frames have another shape or type, there are none, or the rate is not positive.

    Example:
        >>> import numpy as np
        >>> from videogn.inference import VideoArray
        >>> video = VideoArray(np.zeros((16, 32, 48, 3), np.uint8), fps=25)
    """

    frames: NDArray[np.uint8] | Tensor
    fps: float
    name: str = "array"

    def __post_init__(self) -> None:
        frames = np.asarray(self.frames)
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or not frames.size:
            raise ValueError(f"frames must be uint8 (T, H, W, 3), got {frames.dtype} {frames.shape}")
        require_positive("fps", self.fps)
        object.__setattr__(self, "frames", frames)  # the class is frozen

    def open(self, path: str, decoder: str) -> AbstractContextManager[FrameSource]:
        """Open it as a decoded video; see `videogn.video.decoders.frame_source.Opener`."""
        frames = np.asarray(self.frames)
        count, height, width, _ = frames.shape
        info = VideoInfo(count, float(self.fps), height, width)
        return nullcontext(DecodedVideo(info, frames, np.arange(count) / self.fps, None))


@runtime_checkable
class BinaryFile(Protocol):
    """A file that is open for reading bytes."""

    def read(self) -> Any:
        """Return the rest of the file."""


#: A video, or a part of one: its name, its record in an index, an open file, or its frames, uint8 (T, H, W, 3).
Video = str | os.PathLike[str] | VideoRecord | BinaryFile | VideoArray | NDArray[np.uint8] | Tensor
_ONE = (str, os.PathLike, VideoRecord, BinaryFile, VideoArray, np.ndarray, Tensor)


class Order(NamedTuple):
    """A video to decode.

    Attributes:
        record: Its record.
        opener: Function that opens it, where that is not the usual one.
    """

    record: VideoRecord
    opener: Opener | None = None


def is_one(videos: Video | Iterable[Video]) -> bool:
    """Whether something is one video, not several: also a path, an array and an open file can be iterated over."""
    return isinstance(videos, _ONE)


def as_videos(videos: Video | Iterable[Video]) -> Iterable[Video]:
    """Return videos as something to iterate over, also a single one."""
    return [videos] if is_one(videos) or not isinstance(videos, Iterable) else videos  # type: ignore[list-item]


def order_of(video: Video, frame_rate: float) -> Order:
    """Say how a video is decoded. An open file is read, from its position to its end.

    Args:
        video: The video. A name of a part that is wrong fails like a bad file, among the others.
        frame_rate: Frames per second of bare arrays.

    Raises:
        ValueError: It is no video, frames have another shape or type, or a file is not open for reading bytes.
    """
    if isinstance(video, VideoRecord):
        return Order(video)
    if isinstance(video, np.ndarray | Tensor):
        video = VideoArray(video, frame_rate)
    if isinstance(video, VideoArray):
        return Order(VideoRecord(video.name, None), video.open)
    if isinstance(video, str | os.PathLike):
        return Order(_named(os.fspath(video)))
    if not isinstance(video, BinaryFile):
        raise ValueError(f"a video must be a path, frames or an open file, got {type(video).__name__}")
    return Order(VideoRecord(_held(video), None))


def _named(name: str) -> VideoRecord:
    try:
        record = named_video(name)
        return replace(record, path=opened_path(record.path))
    except ValueError as error:
        return VideoRecord(name, None, error=str(error).removeprefix(f"{name}: "))


def _held(file: BinaryFile) -> HeldFile:
    data = file.read()
    name = getattr(file, "name", None)  # of a file in memory there is none, of an unnamed pipe it is a number
    name = name if isinstance(name, str) else "file"
    if not isinstance(data, bytes | bytearray | memoryview):
        raise ValueError(f"{name} must be open for reading bytes (mode 'rb'), its content is {type(data).__name__}")
    return HeldFile(name, bytes(data))
