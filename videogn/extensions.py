"""Norms and networks from outside the package: by the name of an entry point, or by a dotted path."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from videogn.checks import check_choice, did_you_mean
from videogn.trust import is_dotted


def find(kind: str, name: str, table: Mapping[str, Callable[..., Any]], group: str) -> Callable[..., Any]:
    """Look a function or class up by name: built-in names first, then entry points, then dotted paths.

    Args:
        kind: Name of the argument, for error messages.
        name: A key of `table`, the name of an entry point, or a dotted path.
        table: Built-in names.
        group: Group of the entry points. Only the entry point that is asked for is loaded.

    Returns:
        The function or class.

    Raises:
        ValueError: The name is unknown, or cannot be imported.
    """
    if name in table:
        return table[name]
    registered = entry_points(group=group)
    if name in registered.names:
        found = _imported(kind, name, registered[name].value)
    elif is_dotted(name):
        found = _imported(kind, name, name)
    else:
        check_choice(kind, name, dict.fromkeys([*table, *sorted(registered.names)]))
    if not callable(found):
        raise ValueError(f"{kind} must be a function or a class, {name!r} is {type(found).__name__}")
    return found


def check_options(what: str, function: Callable[..., Any], options: Iterable[str], positional: int) -> None:
    """Refuse options that a function does not take.

    Args:
        what: Kind and name of the function, for the error message, for instance "norm 'gn'".
        function: Any callable. One with `**kwargs` takes every option.
        options: Names of the options.
        positional: Number of leading parameters that are not options.

    Raises:
        ValueError: An option is unknown; the message names the valid ones and the nearest.
    """
    try:
        parameters = list(inspect.signature(function).parameters.values())[positional:]
    except ValueError:  # of one in C, which says itself what it does not take
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    valid = [parameter.name for parameter in parameters]
    for option in options:
        if option not in valid:
            taken = ", ".join(valid) or "no options"
            raise ValueError(f"{what} takes {taken}, got option {option!r}{did_you_mean(option, valid)}")


def _imported(kind: str, name: str, path: str) -> Any:
    """Import `package.module.attribute` or `package.module:attribute`."""
    module_name, _, attribute = path.rpartition(":" if ":" in path else ".")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # whatever the code of the module raises
        raise ValueError(
            f"{kind} {name!r} cannot be imported: {type(error).__name__}: {error}; "
            f"the module {module_name!r} must be importable, that is installed or on PYTHONPATH"
        ) from error
    if not hasattr(module, attribute):
        hint = did_you_mean(attribute, vars(module))
        raise ValueError(f"{kind} {name!r} cannot be imported: {module_name} has no {attribute!r}{hint}")
    return getattr(module, attribute)
