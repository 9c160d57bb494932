"""Names of the axes in the whole package, and the records that travel between its rooms.

    B  batch (videos)        V  views of one video (clips x crops)     C  channels
    T  time (frames)         H  height (pixels)                        W  width (pixels)
    K  classes               N  distinct frames decoded from one video

Frames are uint8 RGB, channels last: (N, H, W, 3). Clips, the input of a network, are float, channels first:
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
        path: Path of the file. It need not exist (about 5 % of Kinetics are lost): decoding names what is missing.
        label: Class number in [0, K), or None if unknown.
        frames: Number of frames that can be decoded, or None if no index counted them. Clips are laid over these.
        error: Reason why an index calls the video unusable, or None. An unusable video is not opened.
    """

    path: str
    label: int | None
    frames: int | None = None
    error: str | None = None


@dataclass
class Sample:
    """One decoded video: its distinct frames, and the clips and crops that make up its V = clips x crops views.

    The crops of a clip are consecutive views.

    Attributes:
        position: Position of the record in its index, by which the results of several processes are joined.
        path: Path of the file.
        label: Class number, or -1 if unknown.
        frames: Distinct frames, resized and cut down to what the crops need, uint8 (N, H, W, 3); None if the video
            failed.
        clips: Indices into `frames`, int64 (number of clips, T); None if the video failed.
        crops: Crops of every clip, in pixels of `frames`, all of one size.
        starts: Frame index in the video of the first frame of each clip.
        num_frames: Number of frames in the video; 0 if it failed.
        error: Reason why the video failed, or None.
        fallback: Reason why PyAV decoded the video and not the decoder that was asked for, or None.
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
    fallback: str | None = None


@dataclass
class Batch:
    """Several videos. Their frames differ in number and size, so they stay a list until they are cropped.

    Attributes:
        samples: Videos that decoded.
        failed: Videos that did not, each with its reason.
    """

    samples: list[Sample]
    failed: list[Sample]

    def pin_memory(self) -> Batch:
        """Move the frames to page-locked memory; a DataLoader that pins memory calls this."""
        for sample in self.samples:
            if sample.frames is not None and sample.clips is not None:
                sample.frames, sample.clips = sample.frames.pin_memory(), sample.clips.pin_memory()
        return self
