"""The separator of a list, and the fields of its lines."""

from __future__ import annotations

import csv
from collections.abc import Sequence

#: Separators in the order in which they are tried; None stands for blanks.
SEPARATORS = ("\t", ",", ";", None)
NAMES = {"\t": "tabs", ",": "commas", ";": "semicolons", None: "blanks"}


def fields_of(line: str, separator: str | None) -> list[str]:
    """Divide a line. A field in double quotes may hold the separator.

    Args:
        line: One line.
        separator: One of `SEPARATORS`.

    Returns:
        The fields, without blanks around them.
    """
    if '"' in line:
        fields = next(csv.reader([line], delimiter=separator or " ", skipinitialspace=True))
        return [text.strip() for text in fields if text or separator]
    return line.split() if separator is None else [text.strip() for text in line.split(separator)]


def find_separator(first: str, others: Sequence[str]) -> str | None:
    """Find what separates the fields of a list.

    Args:
        first: First line.
        others: Some of the other lines.

    Returns:
        The first of `SEPARATORS` that divides all lines into as many fields as the first one, two or more; otherwise
        the first one that divides the first line.
    """
    counts = {separator: len(fields_of(first, separator)) for separator in SEPARATORS}
    dividing = [separator for separator, count in counts.items() if count > 1]
    uniform = (
        separator
        for separator in dividing
        if all(len(fields_of(line, separator)) == counts[separator] for line in others)
    )
    return next(uniform, dividing[0] if dividing else None)
