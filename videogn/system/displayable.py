"""Text from outside, such as names of files, as a person can be shown it: it moves no cursor and forges no line."""

from __future__ import annotations

import os
import re

#: What a terminal or a reader obeys rather than sees: control characters but tab, newline and return; marks and
#: overrides of the direction of writing; separators of lines; letters without width; tags; halves of surrogate pairs.
_OBEYED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
#: Colours, and what a progress bar does: up, erase to the end or the line, hide and show the cursor.
_OF_BARS = re.compile(r"(\x1b\[(?:[0-9;]*[mAK]|\?25[hl]))")


def displayable(text: str) -> str:
    """Return a name as valid Unicode; in Python, a name that is not UTF-8 has surrogates, which cannot be written."""
    try:
        return os.fsencode(text).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half of a pair, which JSON may hold, and no name of a file
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: object) -> str:
    """Return a name for a message or a table: as `displayable`, with escapes for line breaks and control characters.

    Args:
        text: Name of a file or class, reason of an error, or whatever else comes from outside.

    Example:
        >>> one_line("a\\nb.mp4")
        'a\\\\nb.mp4'
    """
    whole = displayable(str(text))
    return whole if whole.isprintable() else "".join(c if is_visible(c) else _escaped(c) for c in whole)


def short_name(name: object, letters: int = 200) -> str:
    """Return a name as `one_line`, cut to a number of letters, for a figure or a message."""
    line = one_line(name)
    return line if len(line) <= letters else line[: letters - 1].rstrip() + "…"


def is_visible(letter: str) -> bool:
    """Return whether a letter is text: printable, or a joiner inside words of Persian or Hindi, or of an emoji."""
    return letter.isprintable() or letter in "\u200c\u200d"


def harmless(text: str, *, bars: bool = False) -> str:
    """Return lines of text with escapes for what a terminal would obey. It may have been made of anything.

    Args:
        text: Text of one or more lines.
        bars: Whether the sequences of colours and progress bars stay as they are. Default: False.

    Example:
        >>> harmless("a\\x1b[2Jb.mp4: no video\\n")
        'a\\\\x1b[2Jb.mp4: no video\\n'
    """
    parts = _OF_BARS.split(text) if bars else [text]
    return "".join(part if place % 2 else _OBEYED.sub(_escaped_match, part) for place, part in enumerate(parts))


def _escaped_match(found: re.Match[str]) -> str:
    return _escaped(found[0])


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()
