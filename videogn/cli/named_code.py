"""Code that a configuration or an option names, and that fails in its place: one line, as for any other wrong value."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from jsonargparse import Namespace

from videogn.system.memory_errors import out_of_memory
from videogn.trust import is_dotted

#: Where Lightning calls what it was given: a function that refuses its arguments has no frame of its own.
_CALLS = "lightning.pytorch.trainer.call"
#: Errors that are one line already, and say what is missing or came to nothing.
_CLEAR = (OSError, ModuleNotFoundError, FloatingPointError)
#: Options whose text is a name to import, if it has a dot.
_NAMING = ("class_path", "arch", "norm")


@contextmanager
def naming_what_failed(settings: Any) -> Iterator[None]:
    """Turn an error out of code that the settings name into one line that names it.

    Errors of our own code, and of what nobody named, stay as they are.

    Args:
        settings: All settings of the command, with names of classes, and with functions.

    Raises:
        ValueError: In place of such an error.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, _CLEAR) or type(error).__name__ == "MisconfigurationException" or out_of_memory(error):
            raise
        if os.environ.get("VIDEOGN_TRACEBACK"):
            raise
        modules = [frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)]
        named = [*_named(settings)]
        origins = {module for _, module in named}
        # Whoever called last of our code and of what is named: an optimiser calls our training step.
        last = next((module for module in reversed(modules) if module in origins or _is_ours(module)), "")
        blamed = [name for name, module in named if module == last or modules[-1] == _CALLS]
        if not blamed:
            raise
        reason = (str(error).strip() or "it says no more").partition("\n")[0]
        raise ValueError(
            f"{' or '.join(dict.fromkeys(blamed))} failed where it is named ({type(error).__name__}: {reason}); "
            "VIDEOGN_TRACEBACK=1 shows where"
        ) from error


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] == "videogn"


def _named(settings: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Classes and functions in settings, but for those of this package, and the modules that they come from."""
    if isinstance(settings, Mapping | Namespace):
        for name, value in settings.items():
            yield from _named(value, str(name))
    elif isinstance(settings, list | tuple):
        for value in settings:
            yield from _named(value, key)
    elif inspect.isroutine(settings) or inspect.isclass(settings):
        yield f"{settings.__module__}.{settings.__qualname__}", settings.__module__
    elif (
        isinstance(settings, str)
        and key.rpartition(".")[2] in _NAMING
        and is_dotted(settings)
        and not _is_ours(settings)
    ):
        module, _, attribute = settings.replace(":", ".").rpartition(".")
        found = getattr(sys.modules.get(module), attribute, None)
        yield settings, getattr(found, "__module__", module)
