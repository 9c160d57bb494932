"""The nearest valid name, or existing file, to a mistyped one, for error messages."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from pathlib import Path


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Find the valid name that `name` was probably meant to be, whatever its case.

    Args:
        name: what was written.
        names: the valid names.

    Returns:
        The closest valid name as it is spelt in `names`, or None where none is close.
    """
    spelt = {valid.casefold(): valid for valid in names}
    cutoff = 0.6 if len(name) > 3 else 0.5  # one wrong letter of two is still meant to be the other one
    close = difflib.get_close_matches(name.casefold(), spelt, n=1, cutoff=cutoff)
    return spelt[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Phrase the suggestion for the end of an error message.

    Args:
        name: what was written.
        names: the valid names.

    Returns:
        "; did you mean 'x'?", or "" where no valid name is close.
    """
    close = nearest(name, names)
    return "" if close is None else f"; did you mean {close!r}?"


def check_choice(name: str, value: str, valid: Iterable[str]) -> None:
    """Refuse a value that is not among the valid ones.

    Args:
        name: of the argument.
        value: what was given.
        valid: the valid values.

    Raises:
        ValueError: it names all three, and the nearest valid value.
    """
    valid = list(valid)
    if value not in valid:
        raise ValueError(f"{name} must be one of {', '.join(valid)}, got {value!r}{did_you_mean(value, valid)}")


def existing_path(path: str | Path) -> Path:
    """Return `path` with "~" expanded, if it exists.

    Args:
        path: a file or folder.

    Returns:
        The path.

    Raises:
        FileNotFoundError: it does not exist; the message offers the existing name nearest to the first wrong part.
    """
    path = Path(path).expanduser()
    if path.exists():
        return path
    wrong = next(part for part in [*reversed(path.parents), path] if not part.exists())
    close = nearest(wrong.name, os.listdir(wrong.parent)) if wrong.parent.is_dir() else None
    hint = f"; did you mean {wrong.parent / close}?" if close else ""
    raise FileNotFoundError(f"no such file or folder: {path}{hint}")
