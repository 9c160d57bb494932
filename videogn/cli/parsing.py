"""Parsers whose errors are one line with the nearest valid name."""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from typing import NoReturn

from jsonargparse import ArgumentParser

from videogn.checks import did_you_mean, existing_path
from videogn.cli.main import fail

#: How argparse and jsonargparse name what they do not know: an option, a key of a file, a command, a file, a class.
_UNKNOWN_OPTION = re.compile(r"[Uu]nrecognized arguments: (?P<name>--[^\s=]+)")
_UNKNOWN_KEY = re.compile(r"does not accept option '(?P<name>[^']+)'|[Kk]ey '(?P<key>[^']+)' is not expected")
_UNKNOWN_CHOICE = re.compile(r"invalid choice: '(?P<name>[^']+)' \(choose from (?P<choices>.+)\)")
_MISSING_FILE = re.compile(r"File does not exist: '(?P<path>[^']+)'")
_UNKNOWN_CLASS = re.compile(r"Parser key \"(?P<key>[^\"]+)\".*(?:Union subtypes|import path|subclass).*", re.DOTALL)
_GIVEN_VALUE = re.compile(r"Given value: (?P<value>.+?)\s*$")
_CLASS_PATH = re.compile(r"class_path'(?:: |, val=)'(?P<path>[^']+)'")


class OneLineErrors:
    """Mixin for an ArgumentParser: no page of usage before the reason, and the nearest valid name after it."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """End with status 2 and one line."""
        fail(_reword(str(message), self))  # type: ignore[arg-type]


class Parser(OneLineErrors, ArgumentParser):
    """The parser of the commands that are not Lightning's."""


def _reword(message: str, parser: argparse.ArgumentParser) -> str:
    if found := _UNKNOWN_OPTION.search(message):
        return f"no option {found['name']}{did_you_mean(found['name'], _options(parser))}"
    if found := _UNKNOWN_KEY.search(message):
        name = found["name"] or found["key"]
        return f"no option {name!r}{did_you_mean(name, [option.lstrip('-') for option in _options(parser)])}"
    if found := _UNKNOWN_CHOICE.search(message):
        return message + did_you_mean(found["name"], re.findall(r"'([^']+)'", found["choices"]))
    if found := _MISSING_FILE.search(message):
        try:
            existing_path(found["path"])
        except FileNotFoundError as error:
            return str(error)
    if (found := _UNKNOWN_CLASS.search(message)) and (given := _GIVEN_VALUE.search(message)):
        path = _CLASS_PATH.search(given["value"])
        name = path["path"] if path else given["value"]
        return f"{found['key']} cannot be {name!r}{did_you_mean(name.rsplit('.', 1)[-1], _classes(found['key']))}"
    return message


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
    """Names of the classes that a key of the trainer takes."""
    if not key.startswith("trainer."):
        return []
    from lightning.pytorch import callbacks, loggers, profilers, strategies

    modules = (callbacks, loggers, profilers, strategies)
    return [name for module in modules for name, value in vars(module).items() if inspect.isclass(value)]
