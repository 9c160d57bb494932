"""The shape legend of the whole package, and the two records that travel between its modules.

    B  batch (videos)        V  views of one video (clips x crops)     C  channels
    T  time (frames)         H  height (pixels)                        W  width (pixels)
    K  classes               N  distinct frames decoded from one video

Frames are uint8 RGB, channels last: (N, H, W, 3). Clips, the model's input, are float, channels first:
(B, C, T, H, W). Logits keep their positions: (B, K, T', H', W').
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    from torch import Tensor


Frames = TypeVar("Frames", bound=Any)


class Crop(NamedTuple):
    """A rectangle of a frame, in pixels, and whether it is mirrored left to right."""

    top: int
    left: int
    height: int
    width: int
    flip: bool = False

    def cut(self, frames: Frames) -> Frames:
        """Return the rectangle of frames (..., H, W, C), an array or a tensor, not mirrored: (..., h, w, C), a view."""
        return frames[..., self.top : self.top + self.height, self.left : self.left + self.width, :]


@dataclass(frozen=True)
class VideoRecord:
    """One video of an index.

    Attributes:
        path: the file; it need not exist (Kinetics loses about 5 % of its videos), decoding names what is missing.
        label: the class number in [0, K), or None where the class is unknown.
        frames: how many frames can be decoded, where an index has counted them; clips are laid over these.
        error: why an index says that the video is unusable, or None; it is then not even opened.
    """

    path: str
    label: int | None
    frames: int | None = None
    error: str | None = None


@dataclass
class Sample:
    """One video, decoded: its distinct frames, and which of them and what part of them make up each view.

    There are V = clips x crops views; the crops of a clip stand together.

    Attributes:
        position: where the record stands in its index; results of several processes are joined by it.
        path: the file.
        label: the class number, or -1 where it is unknown.
        frames: uint8 (N, H, W, 3), each needed frame once, resized, and of it what the crops need; None when the video
            failed.
        clips: int64 (number of clips, T), rows of indices into `frames`; None when the video failed.
        crops: what is cut out of every clip, in pixels of `frames`; all of one size.
        starts: frame number in the video of each clip's first frame.
        num_frames: frames in the video; 0 when the video failed.
        error: why the video failed, or None.
    """

    position: int
    path: str
    label: int
    frames: Tensor | None = None
    clips: Tensor | None = None
    crops: tuple[Crop, ...] = ()
    starts: tuple[int, ...] = ()
    num_frames: int = 0
    error: str | None = None


@dataclass
class Batch:
    """Several videos. Their frames differ in number and size, so they stay a list until they are cropped.

    Attributes:
        samples: the videos that decoded.
        failed: the videos that did not, each with its reason.
    """

    samples: list[Sample]
    failed: list[Sample]

    def pin_memory(self) -> Batch:
        """Move the frames to page-locked memory; the DataLoader calls this when it pins memory."""
        for sample in self.samples:
            if sample.frames is not None and sample.clips is not None:
                sample.frames, sample.clips = sample.frames.pin_memory(), sample.clips.pin_memory()
        return self
