"""Clips as words of a command line: 32x2 is 32 frames at interval 2."""

from __future__ import annotations

import re

_CLIPS = re.compile(r"([1-9]\d*)x([1-9]\d*)")


def length_and_interval(text: str) -> tuple[int, int]:
    """Read LENGTHxINTERVAL of the option `--clips`.

    Raises:
        ValueError: It is anything else, or a number is 0.

    Example:
        >>> length_and_interval("32x2")
        (32, 2)
    """
    found = _CLIPS.fullmatch(text)
    if found is None:
        raise ValueError(f"--clips takes LENGTHxINTERVAL, for instance 32x2, got {text!r}")
    return int(found[1]), int(found[2])
