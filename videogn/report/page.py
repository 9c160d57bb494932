"""Blocks -> one HTML page that needs nothing else: pictures and style are inside.

There is no script, unless a table can be sorted: then the few lines of `page_sorting.js`, which the page's policy names
by their hash, so that no other script runs, whatever the text holds.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from videogn.report.document_blocks import (
    Block,
    Bullets,
    Code,
    Entry,
    Gallery,
    Heading,
    Paragraph,
    Picture,
    Still,
    Table,
    printable,
)
from videogn.report.style import DPI

#: Style of the page.
_STYLE = Path(__file__).with_suffix(".css")
#: Script of a page with a table that can be sorted.
_SORTING = Path(__file__).with_name("page_sorting.js")
# A browser then fetches nothing, whatever the text holds.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
#: Pixels that a wide figure keeps on a phone.
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
    sortable = any(block.sortable for block in blocks if isinstance(block, Table))
    policy, script = _with_sorting() if sortable else (_POLICY, "")
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
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
{script}</body>
</html>
"""


def _with_sorting() -> tuple[str, str]:
    """The policy that allows the script of sortable tables alone, and the script."""
    script = f"\n{_SORTING.read_text(encoding='utf-8')}"
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return f"{_POLICY}; script-src 'sha256-{digest}'", f"<script>{script}</script>\n"


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
        case Gallery():
            return '<ul class="gallery">\n' + "\n".join(map(_entry, block.entries)) + "\n</ul>"
        case Code():
            return f"<pre>{escape(printable(block.text).rstrip())}</pre>"


def _table(table: Table) -> str:
    head = "".join(
        f'<th scope="col"{_class(table, column)}>{_text(title)}</th>' for column, title in enumerate(table.head)
    )
    sortable, scroll = (' class="sortable"', "scroll tall") if table.sortable else ("", "scroll")
    rows = "\n".join(f"<tr>{_row(table, number)}</tr>" for number in range(len(table.rows)))
    # The caption is outside of what scrolls, so that it is broken at the page's width.
    return (
        f'<div class="table">\n<p>{_text(table.caption)}</p>\n<div class="{scroll}" tabindex="0">'
        f"<table{sortable}>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>\n</div>"
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
    # then a wide figure scrolls, and says so, rather than shrinks further.
    width = int.from_bytes(content[16:20], "big") * 96 // DPI
    wide, least = (' class="wide"', f"; min-width: {_NARROWEST}px") if width >= _NARROWEST else ("", "")
    size = f"max-width: {width}px{least}"
    return (
        f'<figure{wide}>\n<div class="scroll" tabindex="0"><img style="{size}" alt="{_text(picture.alt)}" '
        f'src="data:image/png;base64,{data}"></div>\n<figcaption>{_text(picture.caption)}</figcaption>\n</figure>'
    )


def _entry(entry: Entry) -> str:
    title = _text(entry.title)
    if entry.link is not None:
        title = f'<a href="{escape(entry.link, quote=True)}">{title}</a>'
    lines = "".join(f"<p>{line}</p>" for line in (f"<b>{title}</b>", *map(_text, entry.lines)))
    return f"<li>{lines}{_stills(entry.stills)}</li>"


def _stills(stills: Iterable[Still]) -> str:
    shown = "".join(
        f'<span><img alt="{_text(still.caption)}" src="data:image/jpeg;base64,'
        f'{base64.b64encode(still.jpeg).decode("ascii")}"><small>{_text(still.caption)}</small></span>'
        for still in stills
    )
    return f'<div class="stills">{shown}</div>' if shown else ""


def _text(text: str) -> str:
    """Text on one line: a line break in it is one in a name."""
    return escape(printable(text.replace("\n", "\\n")), quote=True)
