"""What a file of ours states, compared with what it should: kinds and ranges, before anything is made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from videogn.checks import is_number, is_whole, shown

_MOST = 10**18
_MAX_LETTERS = 10_000


@dataclass(frozen=True)
class Kind:
    """A kind of value.

    Attributes:
        words: What it must be, for the message.
        fits: Whether a value is of the kind.
    """

    words: str
    fits: Callable[[Any], bool]


def check_shape(value: Any, shape: Any, name: str = "") -> None:
    """Refuse a value that is not of a shape.

    Args:
        value: Content of a JSON file, or a part of it.
        shape: A `Kind`; a list of one shape, that of all entries; or a mapping from names to shapes. The value may
            lack names, see `check_present`, and may have others.
        name: Place of the value, for the message. Default: the whole.

    Raises:
        ValueError: A value is of another kind, or out of range.

    Example:
        >>> check_shape({"steps": 3, "rows": [{"top1": "high"}]}, {"rows": [{"top1": SHARE}]})
        Traceback (most recent call last):
        ValueError: rows.0.top1 must be a number from 0 to 1, or null, got 'high'
    """
    if isinstance(shape, Kind):
        _require(shape.fits(value), name, shape.words, value)
    elif isinstance(shape, list):
        _require(isinstance(value, list), name, "a list", value)
        for number, each in enumerate(value):
            check_shape(each, shape[0], f"{name}.{number}")
    else:
        _require(isinstance(value, dict), name, "an object", value)
        for key in value.keys() & shape.keys():
            check_shape(value[key], shape[key], f"{name}.{key}".lstrip("."))


def check_present(value: Mapping[str, Any], names: Iterable[str]) -> None:
    """Refuse content that lacks one of some entries.

    Args:
        value: The content.
        names: Their places, for instance counts.expected.

    Raises:
        ValueError: One is missing.
    """
    for name in names:
        part: Any = value
        for key in name.split("."):
            if not isinstance(part, dict) or key not in part:
                raise ValueError(f"{name} is missing")
            part = part[key]


def _require(fits: bool, name: str, words: str, value: Any) -> None:
    if not fits:
        raise ValueError(f"{name or 'it'} must be {words}, got {shown(value)}")


def _is_count(value: Any) -> bool:
    return bool(is_whole(value) and 0 <= value <= _MOST)


def _is_amount(value: Any) -> bool:
    return bool(is_number(value) and 0 <= value <= _MOST)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _MAX_LETTERS


COUNT = Kind("a whole number from 0 to 10^18", _is_count)
#: Of seconds, bytes, losses.
AMOUNT = Kind("a number from 0 to 10^18, or null", lambda value: value is None or _is_amount(value))
SHARE = Kind("a number from 0 to 1, or null", lambda value: value is None or (_is_amount(value) and value <= 1))
TEXT = Kind("a text", _is_text)
TEXT_OR_NULL = Kind("a text, or null", lambda value: value is None or _is_text(value))
OBJECT_OR_NULL = Kind("an object, or null", lambda value: value is None or isinstance(value, dict))
