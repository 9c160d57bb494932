"""Columns of a list whose fields hold several labels of a video, such as "run;jump"."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.data.lists.column_names import SEVERAL
from videogn.data.lists.columns import Column


def holds_several(column: Column, fields: Sequence[str]) -> bool:
    """Whether a column of labels is called so, and has a ";" or "|" between some; a comma may be part of a name."""
    return column.plain_name in SEVERAL and _separator(fields) != ","


def label_sets(fields: Sequence[str]) -> list[tuple[str, ...]]:
    """Divide the fields of a column.

    Args:
        fields: Labels with ";" between them in the whole column, or "|", or else ","; a video with none shows none of
            the classes.

    Returns:
        The labels of each field, each once.
    """
    separator = _separator(fields)
    return [tuple(dict.fromkeys(filter(None, map(str.strip, field.split(separator))))) for field in fields]


def _separator(fields: Sequence[str]) -> str:
    return next((mark for mark in ";|" if any(mark in field for field in fields)), ",")
