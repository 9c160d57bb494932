"""Checks of the values that a file states about a network: type, then range, before anything is made of them.

A file may come from anyone. Nothing that it states is imported, opened or called here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from videogn.checks import check_choice, is_number, is_whole, shown

#: Largest values that are taken: beyond them a file means harm, or nothing.
MAX_COUNT = 10_000
MAX_PER_FORWARD = 1_000_000
MAX_CLASSES = 100_000
MAX_LETTERS = 1_000
_MAX_OPTION = 10**9
_MAX_DEPTH = 4
_MAX_OPTIONS = 10_000
#: A name of ours, of an entry point or a dotted path; never a path of files.
_ARCH_OR_NORM = re.compile(r"[\w.:+-]{1,200}")


def count(name: str, value: Any, most: int = MAX_COUNT, *, least: int = 1) -> int:
    """Check a whole number from `least` to `most`."""
    if not is_whole(value) or not least <= value <= most:
        raise ValueError(f"{name} must be a whole number from {least} to {most}, got {shown(value)}")
    return int(value)


def number(name: str, value: Any, *, least: float = 0.0, most: float = 1e9) -> float:
    """Check a finite number from `least` to `most`."""
    if not is_number(value) or not least <= value <= most:
        raise ValueError(f"{name} must be a number from {least:g} to {most:g}, got {shown(value)}")
    return float(value)


def choice(name: str, value: Any, valid: tuple[str, ...]) -> Any:
    """Check a name that must be one of several."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be one of {', '.join(valid)}, got {shown(value)}")
    check_choice(name, value[:MAX_LETTERS], valid)
    return value


def triple(name: str, value: Any, *, least: float) -> tuple[float, float, float]:
    """Check three numbers, of red, green and blue, from `least` to 1000."""
    numbers = value if isinstance(value, list | tuple) else ()
    if len(numbers) != 3 or not all(is_number(each) and least <= each <= 1000 for each in numbers):
        raise ValueError(f"{name} must hold three numbers, of red, green and blue, got {shown(value)}")
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def rate(name: str, value: Any) -> float | None:
    """Check frames per second, or None; `NetworkInput` knows the range."""
    if value is not None and not (is_number(value) and abs(value) <= _MAX_OPTION):
        raise ValueError(f"{name} must be a number of frames per second or null, got {shown(value)}")
    return value


def truth(name: str, value: Any) -> bool:
    """Check True or False."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, got {shown(value)}")
    return value


def network_name(kind: str, value: Any) -> str:
    """Check the name of a network or a norm; whether there is such a one is not asked."""
    if not isinstance(value, str) or not _ARCH_OR_NORM.fullmatch(value):
        raise ValueError(f"{kind} must be a name, such as 'i3d_r50' or 'gn', got {shown(value)}")
    return value


def options(name: str, value: Any, *, most: int = _MAX_OPTION) -> dict[str, Any] | None:
    """Check options by name, or None. What they mean only the network or norm knows, which refuses the wrong ones."""
    if value is None:
        return None
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key.isidentifier() for key in value):
        raise ValueError(f"{name} must be null or an object of options by name, got {shown(value)}")
    for key, option in value.items():
        _check_moderate(f"{name}.{key}", option, most)
    return {key: _plain(option) for key, option in value.items()}


def _check_moderate(name: str, value: Any, most: int) -> None:
    """Refuse an option that is no plain value, or is too large; one list may stand in another many times over."""
    waiting, seen = [(value, 0)], 0
    while waiting:
        each, depth = waiting.pop()
        seen += 1
        inside = _inside(each, most)
        if seen > _MAX_OPTIONS or depth > _MAX_DEPTH or inside is None or len(inside) > MAX_LETTERS:
            raise ValueError(f"{name} must be a plain value of moderate size, got {shown(value)}")
        waiting += [(item, depth + 1) for item in inside]


def _inside(value: Any, most: int) -> list[Any] | None:
    """What an option holds, nothing if it is a single value; None if it is none that is taken."""
    if value is None or isinstance(value, bool) or (is_number(value) and abs(value) <= most):
        return []
    if isinstance(value, str):
        return [] if len(value) <= MAX_LETTERS else None
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, Mapping):
        return [*value.keys(), *value.values()] if all(isinstance(key, str) for key in value) else None
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, Mapping) else value


def class_names(name: str, value: Any) -> list[str]:
    """Check the names of all classes. They may be anything that a folder can be called."""
    if not isinstance(value, list | tuple) or not 1 <= len(value) <= MAX_CLASSES:
        raise ValueError(f"{name} must be a list of 1 to {MAX_CLASSES} class names, got {shown(value)}")
    for position, each in enumerate(value):
        if not isinstance(each, str) or not 0 < len(each) <= MAX_LETTERS:
            raise ValueError(f"{name}[{position}] must be a class name, got {shown(each)}")
    return list(value)


def has_controls(text: str) -> bool:
    """Return whether a text holds control characters, which would act on a terminal."""
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in text)
