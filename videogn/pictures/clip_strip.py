"""A strip of the clips of a video: one frame of each, and when it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure, SubFigure
from numpy.typing import NDArray

#: Most frames of a strip; of more clips, some are chosen. Fewer get this much room, too.
_MOST, _FEWEST = 10, 5


@dataclass(frozen=True)
class ClipFrame:
    """A frame that the network saw.

    Attributes:
        picture: RGB, uint8 (H, W, 3).
        seconds: When it is displayed, from the first frame of the video.
    """

    picture: NDArray[np.uint8]
    seconds: float


def chosen_clips(count: int) -> list[int]:
    """Return the clips of a strip, evenly spread over all: the first, the last, and some between."""
    return np.linspace(0, count - 1, min(count, _MOST)).round().astype(int).tolist()


def strip_height(width: float, rows: Sequence[Sequence[ClipFrame]]) -> float:
    """Return the height of a strip with a line of text below each row, in inches, for a width in inches."""
    height, across = rows[0][0].picture.shape[:2]
    return len(rows) * (width / max(len(rows[0]), _FEWEST) * min(height / across, 1.8) * 0.95 + 0.25)


def draw_strip(figure: Figure | SubFigure, rows: Sequence[Sequence[ClipFrame]]) -> None:
    """Draw frames side by side, with their times below.

    Args:
        figure: Figure, or a part of one.
        rows: Frames; the rows have one length.
    """
    panels = figure.subplots(len(rows), max(len(rows[0]), _FEWEST), squeeze=False)
    for row, axes in zip(rows, panels, strict=True):
        for panel in axes[len(row) :]:
            panel.remove()
        for frame, panel in zip(row, axes[: len(row)], strict=True):
            panel.imshow(frame.picture, interpolation="antialiased")
            panel.set(xticks=[], yticks=[])
            panel.set_xlabel(f"{frame.seconds:.2f} s", fontsize="small", labelpad=3)
