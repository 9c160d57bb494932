"""A contact sheet: the frames that the clips of a video show, with the crops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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
#: From a thumbnail to its caption, pixels.
_BELOW = 5
#: The frame of a thumbnail lies over its crops.
_FRAME = 2.5
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
    axes = _pixels(figure, across, down)
    axes.text(_GAP, 0.5 * _HEAD, title, fontsize=11, va="center", weight="bold", parse_math=False)
    for line, row in enumerate(rows):
        top = _HEAD + line * (height + _CAPTION + _GAP)
        axes.text(_GAP, top + height / 2, row.title, fontsize=9, va="center", linespacing=1.5)
        for column, thumbnail in enumerate(row.thumbnails):
            left = _TITLE + column * (width + _GAP)
            _draw(axes, _Place(left, top, width, height), thumbnail, row)
    return save_figure(figure, path, dpi=_DPI)


class _Place(NamedTuple):
    """Where a thumbnail is on the sheet, pixels."""

    left: int
    top: int
    width: int
    height: int


def _pixels(figure: Figure, across: int, down: int) -> Axes:
    """Axes over the whole sheet, in its pixels, from the top: axes for each thumbnail would take half as long again."""
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, across), ylim=(down, 0), autoscale_on=False)
    axes.set_axis_off()
    return axes


def _thumbnail_size(picture: np.ndarray) -> tuple[int, int]:
    """Height and width of the picture on the sheet, pixels."""
    height, width = picture.shape[:2]
    scale = _THUMBNAIL / max(height, width)
    return max(round(height * scale), 1), max(round(width * scale), 1)


def _draw(axes: Axes, place: _Place, thumbnail: Thumbnail, row: ClipRow) -> None:
    left, top, width, height = place
    extent = (left, left + width, top + height, top)
    axes.imshow(thumbnail.picture, extent=extent, aspect="auto", interpolation="antialiased")
    for number, crop in enumerate(row.crops):
        if (crop.height, crop.width) != row.frame_size:
            _outline(axes, place, crop, row.frame_size, number)
    # Where the frame is repeated, the line around it is thick and broken: readable in grey too.
    thickness, style = (0.8, "-") if thumbnail.mark is None else (3.0, (0, (2, 1)))
    line = Rectangle((left, top), width, height, fill=False, edgecolor="black", linewidth=thickness, linestyle=style)
    line.set_zorder(_FRAME)
    axes.add_patch(line)
    axes.text(left + width / 2, top + height + _BELOW, thumbnail.caption, fontsize=7.5, ha="center", va="top")
    if thumbnail.mark is not None:
        _mark(axes, place, thumbnail.mark)


def _outline(axes: Axes, place: _Place, crop: Crop, frame_size: tuple[int, int], number: int) -> None:
    down, across = place.height / frame_size[0], place.width / frame_size[1]
    corner = (place.left + crop.left * across, place.top + crop.top * down)
    size = (crop.width * across, crop.height * down)
    # White below the colour, so that it shows on dark and on bright pictures alike.
    for colour, thickness in (("white", 3.0), (_COLOURS[number % len(_COLOURS)], 1.6)):
        style = "-" if colour == "white" else _DASHES[number % len(_DASHES)]
        axes.add_patch(Rectangle(corner, *size, fill=False, edgecolor=colour, linewidth=thickness, linestyle=style))


def _mark(axes: Axes, place: _Place, word: str) -> None:
    """The word, white on black."""
    axes.text(
        place.left + 0.5 * place.width,
        place.top + 0.94 * place.height,
        word,
        ha="center",
        va="bottom",
        fontsize=7.5,
        color="white",
        weight="bold",
        bbox={"facecolor": "black", "edgecolor": "white", "boxstyle": "square,pad=0.25", "linewidth": 0.8},
    )
