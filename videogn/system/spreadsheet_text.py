"""Text in CSV files that spreadsheets open: a name that begins as a formula does is a name.

As OWASP advises, an apostrophe goes before it; what a spreadsheet takes for a number stays as it is. A text that has
such an apostrophe already gets one more, so that `text_of` gives back exactly what was written.
"""

from __future__ import annotations

import csv
import re
from typing import Any, TextIO

#: What a spreadsheet takes for a formula, also after apostrophes of ours; and the full-width forms that some take too.
FORMULA = "'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
NUMBER = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
_FORMULA, _PROTECTED, _NUMBER = re.compile(FORMULA), re.compile(f"'{FORMULA}"), re.compile(NUMBER)


class _Lines:
    """Puts a newline after each row, where `csv` has written a return and a newline."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, row: str) -> None:
        self._file.write(row.removesuffix("\r\n") + "\n")


def csv_writer(file: TextIO) -> Any:
    """Return a `csv.writer` of rows that end in a newline. Of itself it would not quote a return, then, in a name."""
    return csv.writer(_Lines(file), lineterminator="\r\n")


def for_spreadsheet(text: str) -> str:
    """Return a text for a cell of a CSV file.

    Example:
        >>> for_spreadsheet("=1+1.mp4"), for_spreadsheet("-0.5"), for_spreadsheet("a.mp4")
        ("'=1+1.mp4", '-0.5', 'a.mp4')
    """
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text


def text_of(cell: str) -> str:
    """Return the text that `for_spreadsheet` made a cell of."""
    return cell[1:] if _PROTECTED.match(cell) else cell
