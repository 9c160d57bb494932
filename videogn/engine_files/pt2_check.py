"""What of a .pt2 archive could run code, refused before torch.export.load sees it.

torch.export.load unpickles some parts of an archive, loads compiled libraries, looks operators up by any name below
`torch` (`torch.os.system` too) and evaluates the texts of symbolic sizes. A network needs none of this: its parts are
plain tensors, its operators those of aten, its sizes arithmetic.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import torch

from videogn.models.checkpoint_file import check_content

_PROGRAM = re.compile(r"models/[\w-]+\.json")
_CONFIG = re.compile(r"data/(weights|constants)/[\w-]+_config\.json")
_INPUTS = re.compile(r"data/sample_inputs/[\w-]+\.pt")
_DATA = re.compile(r"data/(weights/weight|constants/tensor)_\d+|extra/[\w.-]+|archive_\w+|byteorder|(\.data/)?\w+")
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims)\.\w+\.\w+|_operator\.(getitem|add|sub|mul|floordiv|mod|neg|pos|eq|ne|lt|le|gt|ge|and_|or_)"
    r"|torch\.sym_(max|min|float|int|not|ite)|math\.(floor|ceil|trunc)"
)
#: Sizes, as sympy writes them: calls of these functions with symbols and whole numbers.
_FUNCTIONS = (
    *("Symbol", "Integer", "Rational", "Add", "Mul", "Pow", "Mod", "PythonMod", "FloorDiv", "CleanDiv"),
    *("ModularIndexing", "Where", "Max", "Min", "Equality", "Unequality", "GreaterThan", "LessThan"),
    *("StrictGreaterThan", "StrictLessThan", "And", "Or", "Not", "BooleanTrue", "BooleanFalse"),
)
_FLAGS = ("integer", "positive", "nonnegative", "negative", "zero", "real", "True", "False", "evaluate")
_EXPRESSION = re.compile(rf"(?:{'|'.join((*_FUNCTIONS, *_FLAGS))}|'?[su]\d+'?|[\d\s(),=-])+")
#: Every other text: names become Python code.
_NAME = re.compile(r"[\w.]*")
#: A text that is given to an operator: a name, or what a check of free sizes says where it fails.
_STRING = re.compile(
    rf"{_NAME.pattern}|Runtime assertion failed for expression [\w\s()+*/%<>=&|~,.-]+ on node '\w+'", re.ASCII
)
#: Key of a text -> what it is, and what it may be.
_PATTERNS = {
    "target": ("operator", _OPERATOR),
    "expr_str": ("size", _EXPRESSION),
    "as_string": ("text", _STRING),
}
#: Kinds of arguments that are code.
_KINDS = {"as_graph", "as_custom_obj", "as_operator"}
_TREES = {"builtins.tuple", "builtins.list", "builtins.dict"}


class UnsafeArchiveError(ValueError):
    """The archive could run code."""


def check_container(path: Path) -> None:
    """Refuse an archive that is damaged, or unpacks to more than its own size.

    Args:
        path: File.

    Raises:
        ValueError: It is.
    """
    with path.open("rb") as file:
        _check_content(file, path.stat().st_size)


def _check_content(file: BinaryIO, size: int) -> None:
    try:
        check_content(file, size, "an archive of torch")
    except ValueError as error:
        raise ValueError(f"it is {error}") from error


def check_pt2(path: str) -> None:
    """Refuse an archive with more in it than plain tensors and a graph of torch's own operators.

    Args:
        path: File.

    Raises:
        UnsafeArchiveError: It has.
        RuntimeError: It is no archive.
    """
    from torch.export.pt2_archive import PT2ArchiveReader  # half a second that nothing else needs

    with zipfile.ZipFile(path) as plain:
        if "version" in plain.namelist():  # torch.export.load would turn to it if anything else fails
            raise UnsafeArchiveError("it has the form that torch wrote before 2.8")
    archive = PT2ArchiveReader(path)
    for name in archive.get_file_names():
        if _CONFIG.fullmatch(name):
            _check_tensors(json.loads(archive.read_string(name)))
        elif _PROGRAM.fullmatch(name):
            _check_program(json.loads(archive.read_string(name)))
        elif _INPUTS.fullmatch(name):
            _check_inputs(archive.read_bytes(name))
        elif not _DATA.fullmatch(name):
            raise UnsafeArchiveError(f"it holds {name!r}")


def _check_tensors(config: dict[str, Any]) -> None:
    for name, payload in config["config"].items():
        if payload["use_pickle"] or not re.fullmatch(r"(weight|tensor)_\d+", payload["path_name"]):
            raise UnsafeArchiveError(f"{name!r} in it is no plain tensor")


def _check_inputs(content: bytes) -> None:
    if not content:
        return
    _check_content(io.BytesIO(content), len(content))
    try:
        torch.load(io.BytesIO(content), weights_only=True)
    except Exception as error:  # torch.export.load would read it again, with pickle
        raise UnsafeArchiveError("its sample inputs are no plain tensors") from error


def _check_program(program: dict[str, Any]) -> None:
    for symbol in program["range_constraints"]:
        _require(_EXPRESSION, symbol, "size")
    for key, text in _texts(program["graph_module"]):
        if key in ("in_spec", "out_spec"):
            _check_tree(text)
        elif key in _KINDS:
            raise UnsafeArchiveError(f"its graph has an argument of the kind {key}")
        else:
            what, pattern = _PATTERNS.get(key, ("name", _NAME))
            _require(pattern, text, what)


def _check_tree(spec: str) -> None:
    for key, text in _texts(json.loads(spec)):
        if (key == "type" and text not in _TREES) or (key == "context" and text not in ("null", "[]")):
            raise UnsafeArchiveError(f"its input or output is a {text!r}")


def _texts(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """All texts in a JSON value with the keys that they stand under, and all keys; not the nodes' metadata."""
    waiting = [(key, value)]
    while waiting:
        key, each = waiting.pop()
        if isinstance(each, dict):
            entries = {name: entry for name, entry in each.items() if name != "metadata"}  # which only describes
            yield from ((name if name in _KINDS else "", name) for name in entries)
            waiting += entries.items()
        elif isinstance(each, list):
            waiting += [(key, entry) for entry in each]
        elif isinstance(each, str):
            yield key, each


def _require(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise UnsafeArchiveError(f"its graph has the {what} {text[:60]!r}")
