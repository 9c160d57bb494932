"""Blocks -> one HTML page that needs nothing else: pictures and style are inside, and there is no script."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from html import escape
from pathlib import Path

from videogn.report.document_blocks import Block, Bullets, Code, Heading, Paragraph, Picture, Table, printable
from videogn.report.style import DPI

#: Style of the page.
_STYLE = Path(__file__).with_suffix(".css")
# A browser then fetches nothing, whatever the text holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
#: Pixels that a figure keeps on a phone.
_NARROWEST = 560
#: A cell with more text than this may be broken into lines.
_LONG = 48


def render_page(blocks: Sequence[Block]) -> str:
    """Write blocks as a page.

    Args:
        blocks: Blocks in order, the first a heading of level 1, which is the page's title as well.

    Returns:
        HTML, with the table of contents after the title.
    """
    title, *rest = blocks
    assert isinstance(title, Heading)
    names = _anchors(blocks)
    body = "\n".join(_block(block, names.get(number)) for number, block in enumerate(rest, 1))
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(_POLICY)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title.text)}</title>
<style>
{_STYLE.read_text(encoding="utf-8")}</style>
</head>
<body>
<header>
<h1>{_text(title.text)}</h1>
{_contents(blocks, names)}
</header>
<main>
{body}
</main>
</body>
</html>
"""


def _contents(blocks: Sequence[Block], names: dict[int, str]) -> str:
    """A link to each heading of level 2, and after it to those of level 3 below it; none to those of level 4."""
    items: list[list[str]] = []
    for number, block in enumerate(blocks):
        if isinstance(block, Heading) and block.level in (2, 3):
            if block.level == 2:
                items.append([])
            items[-1].append(f'<a href="#{names[number]}">{_text(block.text)}</a>')
    lines = "\n".join(f"<li>{first}{': ' if below else ''}{' · '.join(below)}</li>" for first, *below in items)
    return f'<nav aria-label="Contents">\n<ul>\n{lines}\n</ul>\n</nav>' if items else ""


def _anchors(blocks: Sequence[Block]) -> dict[int, str]:
    """Position of each heading below the title -> a name of its own."""
    names: dict[int, str] = {}
    for number, block in enumerate(blocks):
        if isinstance(block, Heading) and block.level > 1:
            name = re.sub(r"[^a-z0-9]+", "-", block.text.lower()).strip("-") or "section"
            names[number] = name if name not in names.values() else f"{name}-{number}"
    return names


def _block(block: Block, name: str | None) -> str:
    match block:
        case Heading():
            return f'<h{block.level} id="{name}">{_text(block.text)}</h{block.level}>'
        case Paragraph():
            return f"<p>{_text(block.text)}</p>"
        case Bullets():
            return "<ul>\n" + "\n".join(f"<li>{_text(item)}</li>" for item in block.items) + "\n</ul>"
        case Table():
            return _table(block)
        case Picture():
            return _picture(block)
        case Code():
            return f"<pre>{escape(printable(block.text).rstrip())}</pre>"


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_class(table, column)}>{_text(title)}</th>' for column, title in enumerate(table.head)
    )
    rows = "\n".join(f"<tr>{_row(table, number)}</tr>" for number in range(len(table.rows)))
    # The caption is outside of what scrolls, so that it is broken at the page's width.
    return (
        f'<div class="table">\n<p>{_text(table.caption)}</p>\n<div class="scroll" tabindex="0">'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>\n</div>"
    )


def _row(table: Table, number: int) -> str:
    cells = [_text(cell) for cell in table.rows[number]]
    if table.links and (link := table.links[number]) is not None:
        cells[0] = f'<a href="{escape(link, quote=True)}">{cells[0]}</a>'
    given = enumerate(zip(cells, table.rows[number], strict=True))
    return "".join(f"<td{_class(table, column, text)}>{cell}</td>" for column, (cell, text) in given)


def _class(table: Table, column: int, cell: str = "") -> str:
    if column >= table.text_columns:
        return ""
    return ' class="text long"' if len(cell) > _LONG else ' class="text"'


def _picture(picture: Picture) -> str:
    content = picture.path.read_bytes()
    data = base64.b64encode(content).decode("ascii")
    # Bytes 16 to 19 of a PNG are its width. At this size letters are as large as in the text; smaller on a phone, but
    # then the figure scrolls rather than shrinks further.
    width = int.from_bytes(content[16:20], "big") * 96 // DPI
    size = f"max-width: {width}px; min-width: {min(width, _NARROWEST)}px"
    return (
        f'<figure>\n<div class="scroll" tabindex="0"><img style="{size}" alt="{_text(picture.alt)}" '
        f'src="data:image/png;base64,{data}"></div>\n<figcaption>{_text(picture.caption)}</figcaption>\n</figure>'
    )


def _text(text: str) -> str:
    return escape(printable(text), quote=True)
