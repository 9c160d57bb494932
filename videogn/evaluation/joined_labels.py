"""The classes of a video that may show several, in one cell of a table: their names, joined by ";"."""

from __future__ import annotations

from collections.abc import Container, Iterable

_BETWEEN = ";"


def join_labels(names: Iterable[str]) -> str:
    """Join the names of a video's classes; "" where it shows none."""
    return _BETWEEN.join(names)


def split_labels(text: str | None, classes: Container[str], *, several: bool = True) -> tuple[str, ...]:
    """Return the names in a cell.

    Args:
        text: The names, as `join_labels` writes them; None if unknown.
        classes: Names of all classes, which may hold a ";" themselves.
        several: Whether a video may show several classes; if not, the text is one name. Default: True.

    Returns:
        The names.

    Raises:
        KeyError: They are not names of classes.

    Example:
        >>> from videogn.evaluation.joined_labels import split_labels
        >>> split_labels("run;sit; stand", ["run", "sit; stand"])
        ('run', 'sit; stand')
    """
    if not text:
        return ()
    if not several:
        return (text,)
    names, begun = [], ""
    for part in text.split(_BETWEEN):
        begun = f"{begun}{_BETWEEN}{part}" if begun else part
        if begun in classes:
            names.append(begun)
            begun = ""
    if begun:
        raise KeyError(text)
    return tuple(names)
