"""Names of the axes in the whole package, and the records that travel between its rooms.

    B  batch (videos)        V  views of one video (clips x crops)     C  channels
    T  time (frames)         H  height (pixels)                        W  width (pixels)
    K  classes               N  distinct frames decoded from one video

Frames are uint8 RGB, channels last: (N, H, W, 3). Clips, the input of a network, are float, channels first:
(B, C, T, H, W). Logits keep their positions: (B, K, T', H', W').
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

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

    def scaled(self, size: tuple[int, int], other: tuple[int, int]) -> Crop:
        """Return the same part of frames of another height and width; edges are rounded, and a pixel is left at least.

        Args:
            size: Height and width of the frames that this is a rectangle of.
            other: Height and width of the other frames.
        """
        top, height = _scaled(self.top, self.height, other[0] / size[0])
        left, width = _scaled(self.left, self.width, other[1] / size[1])
        return Crop(top, left, height, width, self.flip)


def _scaled(first: int, length: int, scale: float) -> tuple[int, int]:
    start = int(first * scale)
    return start, max(round((first + length) * scale) - start, 1)


class Segment(NamedTuple):
    """A part of a longer video, [start, end), that is one example.

    Attributes:
        start: Where it begins: seconds from the first frame, or a frame index.
        end: Where it ends; the frame at this place is no longer part of it.
        unit: "seconds" or "frames".
    """

    start: float
    end: float
    unit: Literal["seconds", "frames"] = "seconds"

    @property
    def fragment(self) -> str:
        """What follows # in the name of the segment: "t=5.4,11.6" (W3C Media Fragments) or "frames=12,48"."""
        return f"{'t' if self.unit == 'seconds' else 'frames'}={self.start:.12g},{self.end:.12g}"


@dataclass(frozen=True)
class VideoRecord:
    """One video of an index, or a segment of one.

    Attributes:
        path: Path of the file. It need not exist (about 5 % of Kinetics are lost): decoding names what is missing.
        label: Class number in [0, K), or None if unknown.
        frames: Number of frames of the file that can be decoded, or None if no index counted them. Clips are laid over
            these.
        error: Reason why an index calls the video unusable, or None. An unusable video is not opened.
        segment: Part of the file that is the example, or None for all of it.
        labels: Class numbers of a video that may show several classes, or none; None where a video has one class.
    """

    path: str
    label: int | None
    frames: int | None = None
    error: str | None = None
    segment: Segment | None = None
    labels: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """The path; of a segment with its fragment, as in "a.mp4#t=5.4,11.6"."""
        return self.path if self.segment is None else f"{self.path}#{self.segment.fragment}"


@dataclass
class Sample:
    """One decoded video: its distinct frames, and the clips and crops that make up its V = clips x crops views.

    The crops of a clip are consecutive views.

    Attributes:
        position: Position of the record in its index, by which the results of several processes are joined.
        path: Path of the file; of a segment its name, as in "a.mp4#t=5.4,11.6".
        label: Class number, or -1 if unknown.
        frames: Distinct frames, resized and cut down to what the crops need, uint8 (N, H, W, 3); None if the video
            failed.
        clips: Indices into `frames`, int64 (number of clips, T); None if the video failed.
        crops: Crops of every clip, in pixels of `frames`, all of one size.
        starts: Frame index in the video of the first frame of each clip.
        times: Start and end of each clip in seconds from the first frame of the video; empty if nobody asked.
        frame_times: Second at which each of `frames` appears, from the first frame of the video; empty if nobody asked.
        num_frames: Number of frames that the clips were laid over: of the video or its segment, at the rate asked for;
            0 if it failed.
        error: Reason why the video failed, or None.
        fallback: Reason why PyAV decoded the video and not the decoder that was asked for, or None.
        truncated: How much of the video decodes and why not all of it, where the views show only that; or None.
        labels: Class numbers where a video may show several classes; None where it has one, `label`.
    """

    position: int
    path: str
    label: int
    frames: Tensor | None = None
    clips: Tensor | None = None
    crops: tuple[Crop, ...] = ()
    starts: tuple[int, ...] = ()
    times: tuple[tuple[float, float], ...] = ()
    frame_times: tuple[float, ...] = ()
    num_frames: int = 0
    error: str | None = None
    fallback: str | None = None
    truncated: str | None = None
    labels: tuple[int, ...] | None = None

    def pin_memory(self) -> Sample:
        """Move the frames to page-locked memory; a DataLoader that pins memory calls this."""
        if self.frames is not None and self.clips is not None:
            self.frames, self.clips = self.frames.pin_memory(), self.clips.pin_memory()
        return self


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
            sample.pin_memory()
        return self
