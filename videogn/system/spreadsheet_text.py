"""Text in CSV files that spreadsheets open: a name that begins as a formula does is a name.

As OWASP advises, an apostrophe goes before it; what a spreadsheet takes for a number stays as it is. A text that has
such an apostrophe already gets one more, so that `text_of` gives back exactly what was written.
"""

from __future__ import annotations

import re

#: What a spreadsheet takes for a formula, also after apostrophes of ours; and the full-width forms that some take too.
FORMULA = "'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]"
NUMBER = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?"
_FORMULA, _PROTECTED, _NUMBER = re.compile(FORMULA), re.compile(f"'{FORMULA}"), re.compile(NUMBER)


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
