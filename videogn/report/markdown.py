"""Blocks -> Markdown (GitHub's)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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
    Table,
    printable,
)

_MEANT = re.compile(r"[\\`*<>\[\]|~&$]|(?<![^\W_])_|_(?![^\W_])")
#: What would begin a heading, a list or a quotation.
_AT_START = re.compile(r"^(\d+)(?=[.)]\s)|^(?=[#+=-])")


def render_markdown(blocks: Sequence[Block], folder: Path) -> str:
    """Write blocks as Markdown.

    Args:
        blocks: Blocks in order.
        folder: Folder of the file; pictures are named relative to it.

    Returns:
        The text, ending in a newline.
    """
    return "\n\n".join(_block(block, folder) for block in blocks) + "\n"


def markdown_table(table: Table) -> str:
    """Write a table without its caption, ending in a newline."""
    rules = ["---" if number < table.text_columns else "---:" for number in range(len(table.head))]
    rows = [list(map(_inline, row)) for row in table.rows]
    for row, link in zip(rows, table.links, strict=False):
        row[0] = row[0] if link is None else f"[{row[0]}]({link})"
    return "\n".join([_row(map(_inline, table.head)), _row(rules), *map(_row, rows)]) + "\n"


def _block(block: Block, folder: Path) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_inline(block.text)}"
        case Paragraph():
            return _line(block.text)
        case Bullets():
            return "\n".join(f"- {_line(item)}" for item in block.items)
        case Table():
            return f"{_line(block.caption)}\n\n{markdown_table(block).rstrip()}"
        case Picture():
            path = block.path.relative_to(folder).as_posix()
            return f"![{_inline(block.alt)}]({path})\n\n{_line(block.caption)}"
        case Gallery():
            return "\n".join(f"- {_entry(entry)}" for entry in block.entries)
        case Code():
            return _fenced(printable(block.text))


def _entry(entry: Entry) -> str:
    title = _inline(entry.title)
    # What ends an address is written as in a URL; the address of a file is so already.
    link = None if entry.link is None else re.sub(r"[()<>\s]", lambda found: f"%{ord(found[0]):02X}", entry.link)
    return "; ".join([title if link is None else f"[{title}]({link})", *map(_inline, entry.lines)])


def _fenced(text: str) -> str:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(longest + 1, 3)
    return f"{fence}\n{text.rstrip()}\n{fence}"


def _line(text: str) -> str:
    """Text at the beginning of a line."""
    return _AT_START.sub(lambda found: f"{found[1]}\\" if found[1] else "\\", _inline(text))


def _inline(text: str) -> str:
    """Text on one line, with nothing in it that Markdown understands."""
    one_line = " ".join(printable(text).split())
    return _MEANT.sub(lambda found: "&amp;" if found[0] == "&" else f"\\{found[0]}", one_line)


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"
