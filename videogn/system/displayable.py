"""Text from outside, such as names of files, as a person can be shown it."""

from __future__ import annotations

import os


def displayable(path: str) -> str:
    """Return a path as valid Unicode; in Python, a name that is not UTF-8 has surrogates, which cannot be written."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def one_line(path: str) -> str:
    """Return a path for a message or a table: as `displayable`, with escapes for line breaks and control characters.

    Example:
        >>> one_line("a\\nb.mp4")
        'a\\\\nb.mp4'
    """
    return "".join(
        letter if is_visible(letter) else letter.encode("unicode_escape").decode() for letter in displayable(path)
    )


def is_visible(letter: str) -> bool:
    """Return whether a letter is text: printable, or a joiner inside words of Persian or Hindi, or of an emoji."""
    return letter.isprintable() or letter in "\u200c\u200d"
