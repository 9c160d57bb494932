"""Names of classes and files as they can be drawn, whatever they hold."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib import font_manager, get_data_path
from matplotlib.ft2font import FT2Font

from videogn.system.displayable import short_name

#: matplotlib's own font: Latin, Greek, Cyrillic, Arabic and more.
_USUAL = str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


def wrapped_name(name: str, width: int, lines: int = 2) -> str:
    """Return a name in at most `lines` lines of `width` letters; what does not fit is left out at the end."""
    return "\n".join(textwrap.wrap(short_name(name), width, max_lines=lines, placeholder=" …")) or " "


def font_file(text: str) -> str:
    """Return the file of a font that has all letters of a text: matplotlib's, else an installed one, else matplotlib's.

    Args:
        text: What is to be drawn.
    """
    missing = frozenset(map(ord, text)) - _letters(_USUAL)
    return _font_with(missing) or _USUAL if missing else _USUAL


def figure_text(texts: Iterable[str]) -> dict[str, Any]:
    """Return the properties of matplotlib's texts that draw names: their fonts, and that "$" is no mathematics.

    Args:
        texts: All that is to be drawn with them.
    """
    files = dict.fromkeys([_USUAL, *map(font_file, texts)])
    families = [font_manager.FontProperties(fname=file).get_name() for file in files]
    return {"family": families, "parse_math": False}


@functools.cache
def _font_with(letters: frozenset[int]) -> str | None:
    return next((entry.fname for entry in font_manager.fontManager.ttflist if letters <= _letters(entry.fname)), None)


@functools.cache
def _letters(file: str) -> frozenset[int]:
    """Code points that a font has."""
    try:
        return frozenset(FT2Font(file).get_charmap())
    except (OSError, RuntimeError):  # removed since matplotlib listed it, or damaged
        return frozenset()
