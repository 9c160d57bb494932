"""A window of a long video, and what a network says about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videogn.axes import Sample
from videogn.video.errors import VideoDecodeError


@dataclass(frozen=True)
class Window:
    """A clip of a video.

    Attributes:
        start: When its first frame appears, in seconds from the first frame of the file.
        end: When its last frame disappears, in seconds.
        probabilities: Probability of every class, float32 (K,).
        fallback: Reason why PyAV decoded the file and not the decoder that was asked for, or None.
    """

    start: float
    end: float
    probabilities: NDArray[np.float32] = field(compare=False, repr=False)  # arrays have no truth value
    fallback: str | None = None

    @property
    def centre(self) -> float:
        """The middle between start and end, in seconds."""
        return (self.start + self.end) / 2


def windows_of(sample: Sample, clips: Tensor) -> list[Window]:
    """Return the windows of a sample's clips, of which these are the probabilities (clips, K)."""
    return [Window(*times, values, sample.fallback) for times, values in zip(sample.times, clips.numpy(), strict=True)]


def refused(sample: Sample, reason: str) -> list[Window]:
    """Raise an error for clips that the network does not take, of which there are no windows."""
    raise VideoDecodeError(sample.path, reason)
