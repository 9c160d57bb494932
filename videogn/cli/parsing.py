"""Parsers made from a dataclass of options; their errors are one line with the nearest valid name."""

from __future__ import annotations

import argparse
import functools
import itertools
import operator
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, Field, fields
from types import NoneType
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import docstring_parser
from docstring_parser import DocstringParam
from jsonargparse import ArgumentParser

from videogn.cli.blank_values import check_text
from videogn.cli.exits import fail
from videogn.cli.largest_values import check_largest
from videogn.cli.rewording import reword

Options = TypeVar("Options")
#: Key of a field's metadata: a tuple with a default is positional nevertheless, and may be left out.
POSITIONAL = "positional"


class OneLineErrors:
    """Mixin for an ArgumentParser: no page of usage before the reason, and the nearest valid name after it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2 and one line."""
        fail(reword(str(message), self))  # type: ignore[arg-type]


class Parser(OneLineErrors, ArgumentParser):
    """The parser of the commands that are not Lightning's."""


def read_options(options: type[Options], prog: str, argv: Sequence[str]) -> Options:
    """Read a command's options from the command line.

    The dataclass is the command line: a field without a default is a positional argument, or a required option if it
    is `kw_only`; a tuple marked POSITIONAL is positional and may be left out. `clip_length: int = 32` is
    `--clip-length`. A tuple takes several words, a Literal one of its values, and a bool none. The docstring is the
    help: its text describes the command, its Attributes section the options. There, `paths (PATH): Files.` shows PATH
    for the value. Defaults are added to the help. A class attribute HEADINGS, {name of a field: heading}, begins
    groups of options.

    Args:
        options: The dataclass.
        prog: The command as it is typed, for example "videogn data show".
        argv: The command's arguments.

    Returns:
        An instance of the dataclass.

    Raises:
        SystemExit: An argument is wrong, with status 2 and one line; or `--help`, with status 0.
        ValueError: The dataclass refuses a value.
    """
    parser = _parser(options, prog)
    _refuse_files_like_options(parser, argv)
    given = vars(parser.parse_args(list(argv)))
    check_largest(given)
    for field in fields(options):  # type: ignore[arg-type]
        check_text(field.name if _is_positional(field) else _flag(field.name), given[field.name])
    return options(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def _refuse_files_like_options(parser: Parser, argv: Sequence[str]) -> None:
    """Name a file that begins with "-", as a shell makes it of "*", before it is taken for an option."""
    for word in itertools.takewhile(lambda word: word != "--", argv):
        if word.startswith("-") and word not in parser._option_string_actions and os.path.lexists(word):
            fail(f"{word} is a file or folder, but reads as an option: write ./{word}, or -- before all the files")


_UNTOLD = DocstringParam([], None, "", None, None, None)


def _parser(options: type, prog: str) -> Parser:
    described = __doc__ is not None  # python -OO takes all docstrings away
    documents = [docstring_parser.parse(each.__doc__ if described else "") for each in reversed(options.__mro__[:-1])]
    texts = {param.arg_name: param for document in documents for param in document.params}
    about = (documents[-1].short_description, documents[-1].long_description)
    parser = Parser(prog=prog, description=" ".join(filter(None, about)), formatter_class=argparse.HelpFormatter)
    hints = get_type_hints(options)
    usage = [prog]
    headings: Mapping[str, str] = vars(options).get("HEADINGS", {})
    group: Any = parser
    for field in sorted(fields(options), key=lambda field: _default(field) is not MISSING):  # required ones first
        if field.name in headings:
            group = parser.add_argument_group(headings[field.name])
        usage += _add_argument(group, field, hints[field.name], texts[field.name] if described else _UNTOLD)
    parser.usage = " ".join([*usage, "[options]"])
    return parser


def _add_argument(parser: Any, field: Field[Any], hint: Any, text: DocstringParam) -> list[str]:
    """Add a field's argument to a parser or a group of it; return its part of the usage line, if it is required."""
    flag, default = _flag(field.name), _default(field)
    about = " ".join((text.description or "").split()).replace("%", "%%")
    if hint is bool:
        parser.add_argument(flag, action="store_true", help=about)
        return []
    several, value_type = _value_type(hint)
    choices = get_args(value_type) if get_origin(value_type) is Literal else ()
    usual = f"{{{','.join(choices)}}}" if choices else "N" if value_type is int else field.name.upper()
    metavar = text.type_name or usual
    shown = f"{metavar} [{metavar} ...]" if several else metavar
    settings: dict[str, Any] = {"type": value_type, "metavar": metavar}
    if several:
        settings["nargs"] = "+"
    if default is MISSING and not field.kw_only:
        parser.add_argument(field.name, help=about, **settings)
        return [shown]
    if field.metadata.get(POSITIONAL):  # several words, or none
        parser.add_argument(field.name, help=about, **settings | {"nargs": "*", "default": list(default)})
        return [f"[{metavar} ...]"]
    if default is MISSING:
        parser.add_argument(flag, required=True, help=f"{about} Required.", **settings)
        return [f"{flag} {shown if not choices else field.name.upper()}"]
    if several:
        default = list(default)
    if default == [] and not choices:  # given twice, it counts twice
        settings["action"] = "extend"
    parser.add_argument(flag, default=default, help=about + _shown_default(default), **settings)
    return []


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _is_positional(field: Field[Any]) -> bool:
    required = _default(field) is MISSING
    return bool(field.metadata.get(POSITIONAL)) or (required and not field.kw_only)


def _shown_default(default: Any) -> str:
    """The default as a sentence; nothing for an empty one, which the docstring explains."""
    if default in (None, [], {}):
        return ""
    values = default if isinstance(default, list) else [default]
    return f" Default: {' '.join(f'{value:g}' if isinstance(value, float) else str(value) for value in values)}."


def _value_type(hint: Any) -> tuple[bool, Any]:
    """Whether an annotation takes several values, and their type: that of `tuple[int, ...]` and `int | None` is int."""
    if get_origin(hint) is tuple:
        return True, get_args(hint)[0]
    if NoneType in get_args(hint):
        hint = functools.reduce(operator.or_, (each for each in get_args(hint) if each is not NoneType))
    return False, get_origin(hint) if get_origin(hint) is dict else hint
