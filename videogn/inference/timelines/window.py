"""A window of a long video, and what a network says about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from videogn.axes import Sample


@dataclass(frozen=True)
class Window:
    """A clip of a video.

    Attributes:
        start: When its first frame appears, in seconds from the first frame of the file.
        end: When its last frame disappears, in seconds.
        probabilities: Probability of every class, float32 (K,).
    """

    start: float
    end: float
    probabilities: NDArray[np.float32] = field(compare=False, repr=False)  # arrays have no truth value

    @property
    def centre(self) -> float:
        """The middle between start and end, in seconds."""
        return (self.start + self.end) / 2


def windows_of(sample: Sample, clips: Tensor) -> list[Window]:
    """Return the windows of a sample's clips, of which these are the probabilities (clips, K)."""
    return [Window(*times, values) for times, values in zip(sample.times, clips.numpy(), strict=True)]


def refused(sample: Sample, reason: str) -> list[Window]:
    """Raise ValueError: the network does not take clips of this size."""
    raise ValueError(f"{sample.path}: {reason}")
