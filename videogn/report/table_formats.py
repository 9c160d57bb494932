"""Tables as files for other programs: one function a format, from a table to text."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from videogn.report.document_blocks import DASH, Block, Heading, Table, printable
from videogn.report.number_format import MINUS
from videogn.system.files import write_text
from videogn.system.spreadsheet_text import csv_writer, for_spreadsheet

#: Characters that LaTeX understands, and how they are written to stand for themselves.
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", "[": "{[}", "*": "{*}",  # the two would be options of the \\ of the row before
    "±": r"$\pm$", MINUS: "$-$", DASH: "--",
}  # fmt: skip


def csv_table(table: Table) -> str:
    """Write a table as CSV: titles, then rows, with "-" for a minus sign and nothing for a missing value.

    A name that a spreadsheet would take for a formula begins with an apostrophe.
    """
    text = io.StringIO()
    writer = csv_writer(text)
    names = table.text_columns
    writer.writerow(for_spreadsheet(printable(title)) for title in table.head)
    rows = [[_plain(cell) for cell in row] for row in table.rows]
    writer.writerows([*map(for_spreadsheet, row[:names]), *row[names:]] for row in rows)
    return text.getvalue()


def latex_table(table: Table) -> str:
    """Write a table as LaTeX's tabular with the rules of booktabs, its caption as a comment above."""
    columns = "".join("l" if number < table.text_columns else "r" for number in range(len(table.head)))
    lines = [f"% {' '.join(printable(table.caption).split())}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [_latex_row(table.head), r"\midrule", *map(_latex_row, table.rows), r"\bottomrule", r"\end{tabular}"]
    return "\n".join(lines) + "\n"


#: Format -> (suffix of its files, function).
TABLE_FORMATS: dict[str, tuple[str, Callable[[Table], str]]] = {
    "csv": (".csv", csv_table),
    "latex": (".tex", latex_table),
}


def write_tables(blocks: Sequence[Block], folder: Path, formats: Sequence[str]) -> list[Path]:
    """Write every table of a page to files, named by the headings above it.

    Args:
        blocks: Blocks of the page.
        folder: Folder of the files, made if it does not exist.
        formats: Names in `TABLE_FORMATS`.

    Returns:
        The files.
    """
    written = []
    above: list[str] = []
    numbers: dict[str, int] = {}
    for block in blocks:
        if isinstance(block, Heading):
            above = [*above[: max(block.level - 1, 0)], *[""] * (block.level - 1 - len(above)), block.text]
        elif isinstance(block, Table):
            name = _name(above[1:]) or "table"
            numbers[name] = numbers.get(name, 0) + 1
            stem = name if numbers[name] == 1 else f"{name}-{numbers[name]}"
            for suffix, text in (TABLE_FORMATS[one] for one in formats):
                folder.mkdir(parents=True, exist_ok=True)
                write_text(folder / f"{stem}{suffix}", text(block))
                written.append(folder / f"{stem}{suffix}")
    return written


def _name(titles: Sequence[str]) -> str:
    """Name of a file, of the headings above a table but for the appendix's own."""
    kept = [title for title in titles if title and title != "Appendix"]
    return "-".join(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") for title in kept)[:120].strip("-")


def _plain(cell: str) -> str:
    return "" if cell == DASH else printable(cell).replace(MINUS, "-")


def _latex_row(cells: Sequence[str]) -> str:
    return " & ".join(map(_latex_text, cells)) + r" \\"


def _latex_text(cell: str) -> str:
    """Text on one line: an empty one would end the paragraph."""
    return "".join(_LATEX.get(letter, letter) for letter in " ".join(printable(cell).split()))
