"""The classes of a video that may show several, in one cell of a table: their names, joined by ";"."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

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
    names = _split(text.split(_BETWEEN), classes)
    if names is None:
        raise KeyError(text)
    return names


def _split(parts: Sequence[str], classes: Container[str]) -> tuple[str, ...] | None:
    """Names that consist of these parts, or None; the first is as short as can be."""
    if not parts:
        return ()
    for taken in range(1, len(parts) + 1):
        if (name := _BETWEEN.join(parts[:taken])) in classes:
            rest = _split(parts[taken:], classes)
            if rest is not None:
                return (name, *rest)
    return None
