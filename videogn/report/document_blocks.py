"""Blocks of a report, before they are Markdown or HTML. All text is plain: a renderer escapes it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from videogn.system.displayable import is_visible

#: Colours and the like, as programs write them for terminals.
_TERMINAL = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
#: A missing value.
DASH = "–"


@dataclass(frozen=True)
class Heading:
    """A heading.

    Attributes:
        text: Text of the heading.
        level: Level, 1 (the title), 2 (in the table of contents) or 3.
    """

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """Sentences."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        head: Titles of the columns.
        rows: Rows of cells, as many as titles.
        caption: Caption, with the unit.
        text_columns: Number of columns from the left that hold text; the others hold numbers.
        links: Address, relative to the page, that each row's first cell leads to, or None; by default none does.
        sortable: Whether a click on a column's title sorts the page's table by it.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str
    text_columns: int = 1
    links: Sequence[str | None] = ()
    sortable: bool = False


@dataclass(frozen=True)
class Picture:
    """A figure.

    Attributes:
        path: Path of the PNG, inside the study's folder.
        caption: Caption, with everything needed to read the figure.
        alt: Description for those who do not see it.
    """

    path: Path
    caption: str
    alt: str


@dataclass(frozen=True)
class Still:
    """One small frame of a video.

    Attributes:
        jpeg: The picture, a JPEG file.
        caption: Which frame it is.
    """

    jpeg: bytes
    caption: str


@dataclass(frozen=True)
class Entry:
    """One video of a gallery.

    Attributes:
        title: Name of the video.
        lines: What there is to say of it.
        link: Address of the file, or None.
        stills: Some of its frames. Markdown leaves them out: it cannot hold pictures.
    """

    title: str
    lines: Sequence[str]
    link: str | None = None
    stills: Sequence[Still] = ()


@dataclass(frozen=True)
class Gallery:
    """Videos with some of their frames."""

    entries: Sequence[Entry]


@dataclass(frozen=True)
class Code:
    """Lines as they are."""

    text: str


Block: TypeAlias = Heading | Paragraph | Bullets | Table | Picture | Gallery | Code


def printable(text: str) -> str:
    """Replace characters that no page can hold: control characters (of a log), lone surrogates (of file names)."""
    whole = _TERMINAL.sub("", text).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if is_visible(c) or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in whole)
