"""Checks of the values that people write into a grid; a message names the thing, its value and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from videogn.checks import check_choice, is_whole


class _Loader(yaml.SafeLoader):
    """PyYAML's, which takes 1e-3 for a number, as YAML 1.2, `videogn fit` and people do."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
)


def load_yaml(name: object, text: str) -> Any:
    """Read YAML.

    Args:
        name: Name of the file or argument, for the message.
        text: The YAML.

    Returns:
        Its content.

    Raises:
        ValueError: It is not YAML.
    """
    try:
        return yaml.load(text, _Loader)  # it is a safe loader
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None or "\n" not in text else f" (line {line + 1})"
        problem = getattr(error, "problem", None) or "it cannot be read"
        raise ValueError(f"{name} is not valid YAML{where}: {' '.join(problem.split())}") from error
    except RecursionError:
        raise ValueError(f"{name} is not valid YAML: it is nested too deeply") from None
    except (ValueError, LookupError, AttributeError) as error:  # what PyYAML makes of "!!bool x" or a 99th of May
        raise ValueError(f"{name} is not valid YAML: a value in it is not what its tag or form says") from error


def mapping(name: object, value: Any) -> dict[str, Any]:
    """Return a mapping; anything else is a ValueError."""
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a mapping of names to values, got {value!r}")
    return dict(value)


def section(config: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a section of a configuration, empty where it is missing."""
    return mapping(name, config.get(name) or {})


def as_list(value: Any) -> list[Any]:
    """Return the values of a list; one value may be written without brackets."""
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def integer(name: str, value: Any, *, least: int) -> int:
    """Return a whole number; anything else is a ValueError."""
    if not is_whole(value) or value < least:
        raise ValueError(f"{name} must be a whole number >= {least}, got {value!r}")
    return value


def check_keys(what: str, given: Iterable[Any], valid: Sequence[str]) -> None:
    """Refuse keys that are not valid."""
    for key in given:
        check_choice(what, str(key), valid)
