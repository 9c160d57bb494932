"""Messages of argparse and jsonargparse about options and their values, in one line with the nearest valid name."""

from __future__ import annotations

import argparse
import inspect
import itertools
import re
import sys
from collections.abc import Iterator, Sequence

from videogn.checks import did_you_mean, existing_path
from videogn.trust import refusal

#: Messages of argparse and jsonargparse about unknown options, keys, files and classes, and wrong values.
_NOT_TRUSTED = re.compile(r"Importing '(?P<name>[^']+)' is not allowed")
_UNKNOWN_OPTION = re.compile(r"[Uu]nrecognized arguments: (?P<name>--[^\s=]+)")
_UNKNOWN_KEY = re.compile(r"does not accept option '(?P<name>[^']+)'|[Kk]ey '(?P<key>[^']+)' is not expected")
_UNKNOWN_OF_CLASS = re.compile(r"Option '(?P<name>[^']+)' is not accepted")
_MISSING_OPTIONS = re.compile(r"arguments are required: (?P<names>.+)")
_BARE_OPTIMIZER = "arguments are required: defaults"  # an argument of the base class of torch's optimisers
_FOLLOWER = re.compile(r"argument (?P<source>\S+) --> (?P<key>[^:\s]+): ")
_MISSING_VALUE = re.compile(r"argument (?P<names>\S+): expected (?:one|at least one) argument")
_MISSING_FILE = re.compile(r"File does not exist: '(?P<path>[^']+)'")
_WRONG_VALUE = re.compile(
    r"key \"(?P<key>[\w.]+)\".*:\s+Expected a (?P<type><class|typing\.Literal)(?P<names>.+)\. "
    r"Got value:[ ]?(?P<value>.*)"
)
_UNKNOWN_CLASS = re.compile(r"Parser key \"(?P<key>[^\"]+)\".*(?:Union subtypes|import path|subclass).*", re.DOTALL)
_SUBTYPES = re.compile(r"Parser key \"(?P<key>\S+)\".*?Subtypes: \[(?P<types>.*?)\] Errors:")
_GROUP = re.compile(r"Parser key \"(?P<key>\w+)\":\s+(?:- )?Unable to load config '(?P<value>.*?)'", re.DOTALL)
_TUPLE = re.compile(r"key \"(?P<key>\S+)\":\s+Expected a tuple with (?P<count>\d+) elements")
_LITERALS = re.compile(r"Expected a typing\.Literal\[(.+)\]")
_GIVEN_VALUE = re.compile(r"G(?:iven|ot) value:[ ]?(?P<value>[^\n]*)")
_NO_VALUE = re.compile(
    r"key \"(?P<key>\S+)\"(?::| element \d+:)\s+(?:(?P<bytes>'utf-8' codec)|Exceeds the limit \(4300 digits\))"
)
_CLASS_PATH = re.compile(r"class_path'(?:: |, val=)'(?P<path>[^']+)'")
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping, for instance {groups: 8}",
    "tuple": "values in brackets, with commas between",
    "list": "values in brackets, with commas between",
    "str": "text",
    "datetime.timedelta": "a time such as 1:30:00 (hours, minutes, seconds)",
}


def reword(message: str, parser: argparse.ArgumentParser) -> str:
    """Say what is wrong with a command line in our words.

    Args:
        message: Message of argparse or jsonargparse.
        parser: The parser that it comes from.

    Returns:
        One line that names the option, its value and what would be right.
    """
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
    if _BARE_OPTIMIZER in message:
        return "--model.optimizer must name an optimiser, for instance --model.optimizer AdamW"
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
    if found := _GROUP.search(message):
        key = found["key"]
        return f"--{key} cannot be {found['value']!r}: its options are --{key}.OPTION, each with a value of its own"
    if found := _NO_VALUE.search(message):
        right = "text in UTF-8" if found["bytes"] else "a number of fewer digits than thousands"
        return f"{flags.get(found['key'], '--' + found['key'])} must be {right}"
    given = _GIVEN_VALUE.search(message)
    if (found := _TUPLE.search(message)) and given:
        return (
            f"--{found['key']} must be {found['count']} numbers in brackets, with commas between, got {given['value']}"
        )
    if (found := _SUBTYPES.search(" ".join(message.split()))) and given and (kinds := _any_of(found["types"])):
        return f"--{found['key']} must be {kinds}, got {given['value']!r}"
    if (found := _UNKNOWN_CLASS.search(message)) and given:
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


def _any_of(types: str) -> str | None:
    """Types of one value in words, without null; None if there is a class among them."""
    words, names = [], []
    for each in re.findall(r"<class '[\w.]+'>|[\w.]+\[[^\]]*\]", types):
        base, _, inner = each.removeprefix("typing.").partition("[")
        if base == "Literal":
            names += re.findall(r"[\w+.-]+", inner)
        elif each == "dict[str, int]":
            words.append("names with whole numbers, for instance {res5: 2}")
        elif base == "tuple" and "..." not in inner:
            words.append(f"{inner.count(',') + 1} numbers in brackets, with commas between")
        elif (kind := each.removeprefix("<class '").removesuffix("'>")) != "NoneType":
            words.append(_TYPES.get(base if inner else kind, ""))
    if _TYPES["float"] in words:  # whole ones too
        words = [word for word in words if word != _TYPES["int"]]
    valid = ", ".join(dict.fromkeys(names))
    words += [f"one of {valid}" if "," in valid else valid] if names else []
    return " or ".join(words) if all(words) else None


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
