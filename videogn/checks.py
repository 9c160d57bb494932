"""Checks of arguments, with error messages of one line that name the argument, its value and what would be right."""

from __future__ import annotations

import csv
import difflib
import json
import math
import os
import reprlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path
from typing import Any


def require_positive(name: str, value: float) -> None:
    """Raise ValueError unless `value` is finite and greater than 0."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} must be > 0, got {value}")


def require_at_least(name: str, value: float, least: float) -> None:
    """Raise ValueError unless `value` is finite and `least` or more."""
    if not least <= value < math.inf:
        raise ValueError(f"{name} must be >= {least}, got {value}")


def require_whole(name: str, value: float) -> None:
    """Raise ValueError unless `value` is a whole number; True and False are none."""
    if not is_whole(value):
        raise ValueError(f"{name} must be a whole number, got {shown(value)}")


def require_at_most(name: str, value: float, most: float) -> None:
    """Raise ValueError unless `value` is `most` or less."""
    if not value <= most:
        raise ValueError(f"{name} must be <= {most:,.0f}, got {value}")


def read_json(text: str | bytes, where: object) -> Any:
    """Read JSON from outside.

    Args:
        text: The JSON.
        where: What it is, for the message.

    Raises:
        ValueError: It is none, is nested too deeply, or has a number of thousands of digits.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError(f"{where} cannot be read as JSON (nested too deeply)") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"{where} is not JSON ({error})") from None
    except ValueError as error:  # of a number, or bytes that are no text
        raise ValueError(f"{where} cannot be read as JSON ({str(error).partition(';')[0]})") from None


@contextmanager
def reading(path: object) -> Iterator[None]:
    """Say in one line that a file of videogn's own kind is damaged, in place of what its reader stumbles over.

    Args:
        path: The file, for the message.

    Raises:
        ValueError: The block missed an entry, or found a value of another type or out of range.
    """
    try:
        yield
    except (LookupError, TypeError, AttributeError, ArithmeticError, ValueError, csv.Error, RecursionError) as error:
        if str(path) in str(error):  # which says more
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        reason = f"no {reason}" if isinstance(error, KeyError) else reason
        raise ValueError(f"{path} is damaged, or was not written by videogn ({reason})") from error


def nearest(name: object, names: Iterable[str]) -> str | None:
    """Find the valid name closest to a mistyped one, ignoring case.

    Args:
        name: Name as the user wrote it.
        names: Valid names.

    Returns:
        The closest valid name, or None if none is close.
    """
    if not isinstance(name, str):
        return None
    spelt = {valid.casefold(): valid for valid in names}
    cutoff = 0.6 if len(name) > 3 else 0.5  # in a name of two letters, one may be wrong
    close = difflib.get_close_matches(name.casefold(), spelt, n=1, cutoff=cutoff)
    return spelt[close[0]] if close else None


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return "; did you mean 'x'?" for the end of an error message, or "" if no valid name is close."""
    close = nearest(name, names)
    return "" if close is None else f"; did you mean {close!r}?"


def check_choice(name: str, value: str, valid: Iterable[str]) -> None:
    """Raise ValueError unless `value` is one of the valid values; the message suggests the nearest.

    Args:
        name: Name of the argument.
        value: Value of the argument.
        valid: Valid values.
    """
    valid = list(valid)
    if value not in valid:
        raise ValueError(f"{name} must be one of {', '.join(valid)}, got {value!r}{did_you_mean(value, valid)}")


def expanded(path: str | Path) -> Path:
    """Put the home folder in the place of "~" or "~user" at the beginning of a path.

    A file or folder of exactly this name comes first, and the name of nobody's home folder stays as it is.

    Args:
        path: File or folder; it need not exist.
    """
    return Path(expanded_text(path))


def expanded_text(source: str | Path) -> str:
    """Expand "~" as `expanded` does, in a path or a URL, which a Path would change."""
    return str(source) if os.path.lexists(source) else os.path.expanduser(source)


def existing_path(path: str | Path) -> Path:
    """Expand "~" in a path as `expanded` does and check that it exists.

    Args:
        path: File or folder.

    Returns:
        The expanded path.

    Raises:
        FileNotFoundError: The path does not exist. The message suggests the existing name nearest to the first part
            that is wrong.
    """
    path = expanded(path)
    if path.exists():
        return path
    wrong = next(part for part in [*reversed(path.parents), path] if not part.exists())
    close = nearest(wrong.name, os.listdir(wrong.parent)) if wrong.parent.is_dir() else None
    hint = f"; did you mean {wrong.parent / close}?" if close else ""
    raise FileNotFoundError(f"no such file or folder: {path}{hint}")


class _Short(reprlib.Repr):
    """Representation of plain values in a limited length, however large, deep or tangled they are."""

    def repr_int(self, x: Any, level: int) -> str:
        return repr(x) if x.bit_length() <= 64 else f"a number of {x.bit_length()} bits"

    def repr_instance(self, x: Any, level: int) -> str:
        return repr(x) if isinstance(x, float | bool | None) else f"a {type(x).__name__}"


_SHORT = _Short()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxdict, _SHORT.maxlist = 2, 100, 4, 8


def shown(value: Any) -> str:
    """Return a value for a message, at most 60 characters."""
    text = _SHORT.repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def is_whole(value: Any) -> bool:
    """Return whether a value is a whole number; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return is_whole(value) or (isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value))
