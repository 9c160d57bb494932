"""A few classes and their probabilities, written into a picture: legible from 160 x 120 to 1080p."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from videogn.pictures.lettering import font_file, short_name

#: Height of the letters as a part of the picture's, and in pixels at least and at most.
_LETTERS, _SMALLEST, _LARGEST = 1 / 20, 11, 44
#: Part of the picture that may be written on, and most lines.
_COVERED, _LINES = 0.28, 3
#: Brightness that is left of the picture below the letters.
_SHADE = 0.35
#: Blue of the bars (Okabe & Ito).
_BAR = np.array([0, 114, 178], np.float32)


class Caption:
    """Writes lines with bars across the bottom of pictures of one size.

    Args:
        height: Height of the pictures in pixels.
        width: Width of the pictures in pixels.

    Attributes:
        lines: Number of lines that have room.
    """

    def __init__(self, height: int, width: int) -> None:
        self._size = round(min(max(min(height, width) * _LETTERS, _SMALLEST), _LARGEST))
        self._line = round(self._size * 1.45)
        self._width = width
        self._fitted: dict[tuple[str, float], tuple[str, ImageFont.FreeTypeFont]] = {}
        self.lines = min(max(int(height * _COVERED / self._line), 1), _LINES)

    def draw(self, picture: np.ndarray, scores: Sequence[tuple[str, float]]) -> None:
        """Write names and probabilities, the first on top.

        Args:
            picture: RGB picture, uint8 (H, W, 3); changed in place.
            scores: Pairs of name and probability, at most `lines`.
        """
        band = picture[-len(scores) * self._line :]
        shaded = band.astype(np.float32) * _SHADE
        for number, (_, score) in enumerate(scores):
            bar = shaded[number * self._line + 1 : (number + 1) * self._line - 1, : round(score * self._width)]
            bar += (_BAR - bar) * 0.85
        image = Image.fromarray(shaded.round().astype(np.uint8))
        for number, (name, score) in enumerate(scores):
            self._write(ImageDraw.Draw(image), (number + 0.5) * self._line, name, f"{score:.0%}")
        band[:] = np.asarray(image)

    def _write(self, image: ImageDraw.ImageDraw, middle: float, name: str, score: str) -> None:
        margin = self._size // 2
        digits = ImageFont.truetype(font_file(score), self._size)
        room = self._width - 3 * margin - digits.getlength("100%")
        text, font = self._fit(name, room)
        for words, letters, place, anchor in (
            (text, font, margin, "lm"),
            (score, digits, self._width - margin, "rm"),
        ):
            image.text((place, middle), words, "white", letters, anchor, stroke_width=1, stroke_fill="black")

    def _fit(self, name: str, room: float) -> tuple[str, ImageFont.FreeTypeFont]:
        """The name, as much of it as has room, and its font."""
        if (name, room) not in self._fitted:
            text = short_name(name)
            font = ImageFont.truetype(font_file(text), self._size)
            whole = text
            while len(whole) > 1 and font.getlength(text) > room:
                whole = whole[:-1]
                text = whole.rstrip() + "…"
            self._fitted[name, room] = text, font
        return self._fitted[name, room]
