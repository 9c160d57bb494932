"""Parsers made from a dataclass of options; their errors are one line with the nearest valid name."""

from __future__ import annotations

import argparse
import functools
import inspect
import itertools
import operator
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from types import NoneType
from typing import Any, Literal, NoReturn, TypeVar, get_args, get_origin, get_type_hints

import docstring_parser
from docstring_parser import DocstringParam
from jsonargparse import ArgumentParser

from videogn.checks import did_you_mean, existing_path
from videogn.cli.exits import fail
from videogn.cli.largest_values import check_largest
from videogn.trust import refusal

Options = TypeVar("Options")
#: Key of a field's metadata: a tuple with a default is positional nevertheless, and may be left out.
POSITIONAL = "positional"

#: Messages of argparse and jsonargparse about unknown options, keys, files and classes, and wrong values.
_NOT_TRUSTED = re.compile(r"Importing '(?P<name>[^']+)' is not allowed")
_UNKNOWN_OPTION = re.compile(r"[Uu]nrecognized arguments: (?P<name>--[^\s=]+)")
_UNKNOWN_KEY = re.compile(r"does not accept option '(?P<name>[^']+)'|[Kk]ey '(?P<key>[^']+)' is not expected")
_UNKNOWN_OF_CLASS = re.compile(r"Option '(?P<name>[^']+)' is not accepted")
_MISSING_OPTIONS = re.compile(r"arguments are required: (?P<names>.+)")
_FOLLOWER = re.compile(r"argument (?P<source>\S+) --> (?P<key>[^:\s]+): ")
_MISSING_VALUE = re.compile(r"argument (?P<names>\S+): expected (?:one|at least one) argument")
_MISSING_FILE = re.compile(r"File does not exist: '(?P<path>[^']+)'")
_WRONG_VALUE = re.compile(
    r"key \"(?P<key>[\w.]+)\".*:\s+Expected a (?P<type><class|typing\.Literal)(?P<names>.+)\. Got value: (?P<value>.+)"
)
_UNKNOWN_CLASS = re.compile(r"Parser key \"(?P<key>[^\"]+)\".*(?:Union subtypes|import path|subclass).*", re.DOTALL)
_NUMBER_OR_NAME = re.compile(
    r"Parser key \"(?P<key>\S+)\".*Subtypes: \[<class 'int'>, typing\.Literal\['(?P<name>\w+)'\]\]"
)
_OPTIONAL = re.compile(r"Parser key \"(?P<key>\S+)\".*Subtypes: \[<class '(?P<type>int|float)'>, <class 'NoneType'>\]")
_COUNTS = re.compile(r"Parser key \"(?P<key>\S+)\".*Subtypes: \[dict\[str, int\], <class 'NoneType'>\]")
_NUMBERS = re.compile(r"Parser key \"(?P<key>\S+)\".*Subtypes: \[tuple\[(?P<types>[^\]]+)\], <class 'NoneType'>\]")
_LITERALS = re.compile(r"Expected a typing\.Literal\[(.+)\]")
_GIVEN_VALUE = re.compile(r"Given value: (?P<value>.+?)\s*$")
_CLASS_PATH = re.compile(r"class_path'(?:: |, val=)'(?P<path>[^']+)'")
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping, for instance {groups: 8}",
}


class OneLineErrors:
    """Mixin for an ArgumentParser: no page of usage before the reason, and the nearest valid name after it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2 and one line."""
        fail(_reword(str(message), self))  # type: ignore[arg-type]


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
    return options(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def _refuse_files_like_options(parser: Parser, argv: Sequence[str]) -> None:
    """Name a file that begins with "-", as a shell makes it of "*", before it is taken for an option."""
    for word in itertools.takewhile(lambda word: word != "--", argv):
        if word.startswith("-") and word not in parser._option_string_actions and os.path.lexists(word):
            fail(f"{word} is a file or folder, but reads as an option: write ./{word}, or -- before all the files")


def _parser(options: type, prog: str) -> Parser:
    documents = [docstring_parser.parse(each.__doc__ or "") for each in reversed(options.__mro__[:-1])]
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
        usage += _add_argument(group, field, hints[field.name], texts[field.name])
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


def _reword(message: str, parser: argparse.ArgumentParser) -> str:
    if found := _NOT_TRUSTED.search(message):
        return refusal("a configuration", [found["name"]])
    if "NestedArg" in message:  # jsonargparse's, of an option that takes no mapping
        return "options with a dot, as --model.arch, are those of `videogn fit`; see --help for the options here"
    if found := _UNKNOWN_OPTION.search(message):
        return f"no option {found['name']}{did_you_mean(found['name'], _options(parser))}"
    if found := _UNKNOWN_KEY.search(message):
        name = found["name"] or found["key"]
        return f"no option {name!r}{did_you_mean(name, [option.lstrip('-') for option in _options(parser)])}"
    if found := _UNKNOWN_OF_CLASS.search(message):  # the part after the last dot is all that jsonargparse says
        typed = [argument.partition("=")[0] for argument in sys.argv]
        return f"no option {next((name for name in typed if name.endswith('.' + found['name'])), found['name'])}"
    if found := _FOLLOWER.search(message):
        return f'Linked "{found["key"]}" must be given via "{found["source"]}".'  # as jsonargparse says it of an int
    flags = {option.lstrip("-").replace("-", "_"): option for option in _options(parser)}
    if found := _MISSING_OPTIONS.search(message):
        names = [_of_class(name) or flags.get(name, name) for name in found["names"].split(", ")]
        return f"the following arguments are required: {', '.join(names)}"
    if found := _MISSING_VALUE.search(message):
        return _no_value(found["names"].split("/"))
    if found := _WRONG_VALUE.search(message):
        flag, names = flags.get(found["key"], found["key"]), re.findall(r"'([^']+)'", found["names"])
        if found["type"] == "<class":
            return f"{flag} must be {_TYPES.get(names[0], names[0])}, got {found['value']!r}"
        valid = f"one of {', '.join(names)}" if len(names) > 1 else names[0]
        return f"{flag} must be {valid}, got {found['value']!r}{did_you_mean(found['value'], names)}"
    if found := _MISSING_FILE.search(message):
        try:
            existing_path(found["path"])
        except FileNotFoundError as error:
            return str(error)
    if (found := _OPTIONAL.search(message.replace("\n", " "))) and (given := _GIVEN_VALUE.search(message)):
        return f"--{found['key']} must be {_TYPES[found['type']]}, got {given['value']!r}"
    if (found := _NUMBERS.search(message.replace("\n", " "))) and (given := _GIVEN_VALUE.search(message)):
        count = len(found["types"].split(","))
        return f"--{found['key']} must be {count} numbers in brackets, with commas between, got {given['value']}"
    if (found := _NUMBER_OR_NAME.search(message.replace("\n", " "))) and (given := _GIVEN_VALUE.search(message)):
        return f"--{found['key']} must be a whole number or {found['name']}, got {given['value']!r}"
    if (found := _COUNTS.search(message.replace("\n", " "))) and (given := _GIVEN_VALUE.search(message)):
        return f"--{found['key']} must be names with whole numbers, for instance {{res5: 2}}, got {given['value']!r}"
    if (found := _UNKNOWN_CLASS.search(message)) and (given := _GIVEN_VALUE.search(message)):
        if literals := _LITERALS.findall(message):
            valid = ", ".join(dict.fromkeys(name.strip(" '") for names in literals for name in names.split(",")))
            return f"--{found['key']} must be one of {valid}, got {given['value']!r}"
        path = _CLASS_PATH.search(given["value"])
        name = path["path"] if path else given["value"]
        classes = _classes(found["key"])
        hint = did_you_mean(name.rsplit(".", 1)[-1], classes)
        if name in classes:
            hint = "; several have this name: give the full path"
        return f"{found['key']} cannot be {name!r}{hint}"
    return message


def _of_class(name: str) -> str | None:
    """An argument of the class named last: of `--trainer.logger=CSVLogger` it is `--trainer.logger.save_dir`."""
    words = [part for word in sys.argv for part in word.split("=", 1)]
    given = [(option.removeprefix("--").rstrip("+"), value) for option, value in itertools.pairwise(words)]
    keys = [key for key, value in given if key.startswith(("trainer.", "model.")) and value in _classes(key)]
    return f"--{keys[-1]}.{name}" if keys else None


def _no_value(names: Sequence[str]) -> str:
    """The option that has no value, and how to write one that looks like an option."""
    for name, value in itertools.pairwise(sys.argv):
        if name in names and value.startswith("-") and value != "--":
            return f"{name} needs a value; one that begins with - is written {name}={value}"
    return f"{names[-1]} needs a value"


def _options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """All option strings of a parser and of its subcommands."""
    for action in parser._actions:
        yield from action.option_strings
        if isinstance(action.choices, dict):
            # The subcommand that was asked for, or else all of them, may be the one meant.
            for name, subparser in action.choices.items():
                if name in sys.argv:
                    yield from _options(subparser)


def _classes(key: str) -> list[str]:
    """Names of the classes that a key of the trainer, or the optimiser or scheduler of the model, takes."""
    from lightning.pytorch import callbacks, loggers, profilers, strategies
    from torch import optim

    own = {"model.optimizer": [optim], "model.scheduler": [optim.lr_scheduler]}
    modules = own.get(key, [callbacks, loggers, profilers, strategies])
    return [name for module in modules for name, value in vars(module).items() if inspect.isclass(value)]
