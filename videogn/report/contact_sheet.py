"""A contact sheet: the frames that the clips of a video show, with the crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from videogn.axes import Crop
from videogn.report.style import ORANGE, PURPLE, SKY, save_figure

_DPI = 100
#: Longer side of a thumbnail, and the space around it, pixels.
_THUMBNAIL = 168
_GAP = 10
_CAPTION = 20
_TITLE = 118
_HEAD = 46
#: Crops are told apart by colour (Okabe & Ito) and, in print, by dashes.
_COLOURS = (ORANGE, SKY, PURPLE)
_DASHES: tuple[str | tuple[int, tuple[int, ...]], ...] = ("-", (0, (6, 3)), (0, (2, 2)))


@dataclass(frozen=True)
class Thumbnail:
    """One frame of a clip.

    Attributes:
        picture: Frame, uint8 (H, W, 3).
        caption: Frame number and time.
        mark: A word where the frame stands beyond the video's end and is therefore repeated ("wrapped"), or None.
    """

    picture: np.ndarray
    caption: str
    mark: str | None = None


@dataclass(frozen=True)
class ClipRow:
    """One clip.

    Attributes:
        title: Name of the clip, in short lines.
        thumbnails: Some of its frames, in order.
        frame_size: Height and width of the frames that the crops are cut out of.
        crops: Crops to draw over every thumbnail; one that is the whole frame is left out.
    """

    title: str
    thumbnails: Sequence[Thumbnail]
    frame_size: tuple[int, int]
    crops: Sequence[Crop] = ()


def write_contact_sheet(rows: Sequence[ClipRow], path: str | Path, *, title: str) -> Path:
    """Draw a row of thumbnails for each clip, with the crops as rectangles.

    Args:
        rows: Clips, at least one; their pictures are all of one shape.
        path: The PNG file.
        title: Title of the sheet.

    Returns:
        `path`.
    """
    height, width = _thumbnail_size(rows[0].thumbnails[0].picture)
    columns = max(len(row.thumbnails) for row in rows)
    across = _TITLE + columns * (width + _GAP) + _GAP
    down = _HEAD + len(rows) * (height + _CAPTION + _GAP) + _GAP
    figure = Figure(figsize=(across / _DPI, down / _DPI), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(_GAP / across, 1 - 0.5 * _HEAD / down, title, fontsize=11, va="center", weight="bold", parse_math=False)
    for line, row in enumerate(rows):
        top = _HEAD + line * (height + _CAPTION + _GAP)
        middle = 1 - (top + height / 2) / down
        figure.text(_GAP / across, middle, row.title, fontsize=9, va="center", linespacing=1.5)
        for column, thumbnail in enumerate(row.thumbnails):
            left = _TITLE + column * (width + _GAP)
            axes = figure.add_axes((left / across, 1 - (top + height) / down, width / across, height / down))
            _draw(axes, thumbnail, row)
    return save_figure(figure, path, dpi=_DPI)


def _thumbnail_size(picture: np.ndarray) -> tuple[int, int]:
    """Height and width of the picture on the sheet, pixels."""
    height, width = picture.shape[:2]
    scale = _THUMBNAIL / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _draw(axes: Axes, thumbnail: Thumbnail, row: ClipRow) -> None:
    # A unit square, so that the crops are drawn in parts of the frame, whatever the thumbnail's own size.
    axes.imshow(thumbnail.picture, extent=(0, 1, 1, 0), aspect="auto", interpolation="antialiased")
    axes.set(xlim=(0, 1), ylim=(1, 0), xticks=[], yticks=[])
    height, width = row.frame_size
    for number, crop in enumerate(row.crops):
        if (crop.height, crop.width) != row.frame_size:
            _outline(axes, crop, height, width, number)
    for spine in axes.spines.values():
        spine.set(color="black", linewidth=0.8)
    axes.set_xlabel(thumbnail.caption, fontsize=7.5, labelpad=3)
    if thumbnail.mark is not None:
        _mark(axes, thumbnail.mark)


def _outline(axes: Axes, crop: Crop, height: int, width: int, number: int) -> None:
    corner = (crop.left / width, crop.top / height)
    size = (crop.width / width, crop.height / height)
    # White below the colour, so that it shows on dark and on bright pictures alike.
    for colour, thickness in (("white", 3.0), (_COLOURS[number % len(_COLOURS)], 1.6)):
        style = "-" if colour == "white" else _DASHES[number % len(_DASHES)]
        axes.add_patch(
            Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=thickness, linestyle=style, clip_on=False)
        )


def _mark(axes: Axes, word: str) -> None:
    """A thick broken frame, and the word, white on black: readable in grey too."""
    for spine in axes.spines.values():
        spine.set(color="black", linewidth=3.0, linestyle=(0, (2, 1)))
    axes.text(
        0.5,
        0.06,
        word,
        transform=axes.transAxes,
        ha="center",
        va="bottom",
        fontsize=7.5,
        color="white",
        weight="bold",
        bbox={"facecolor": "black", "edgecolor": "white", "boxstyle": "square,pad=0.25", "linewidth": 0.8},
    )
