"""Lists of paths, one a line or with NUL bytes between them, read as they are used."""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import cast

from videogn.checks import existing_path, expanded
from videogn.system.displayable import displayable

#: Name that stands for standard input.
STANDARD_INPUT = "-"
#: The longest path that a system takes is far shorter; a longer line is that of no list.
_LONGEST_NAME = 1 << 16
_BLOCK = 1 << 16


def checked_list(name: str) -> bool:
    """Check that a list can be read: one that cannot is a wrong command, and not found out on the way.

    Args:
        name: File, or "-" for standard input.

    Returns:
        Whether it can be read twice: not standard input, nor another pipe.

    Raises:
        FileNotFoundError: It does not exist.
        ValueError: It is a folder.
        OSError: It cannot be read.
    """
    if name == STANDARD_INPUT:
        return False
    path = existing_path(name)
    if path.is_dir():
        raise ValueError(f"--list must be a file with one path a line, got the folder {name}: name it without --list")
    if not path.is_file():
        return False
    path.open("rb").close()
    return True


def read_paths(name: str, separator: bytes) -> Iterator[str]:
    """Read the paths in a list one after the other; a line without characters is skipped.

    Args:
        name: File, or "-" for standard input.
        separator: Byte between paths: a newline, or NUL.

    Yields:
        Paths; bytes that are not UTF-8 are surrogates, as everywhere in Python.

    Raises:
        ValueError: The file is no list of paths.
        OSError: It cannot be read.
    """
    shown = "standard input" if name == STANDARD_INPUT else displayable(name)
    with _opened(name) as file:
        for number, line in enumerate(_lines(file, separator), 1):
            if separator == b"\n":
                line = line.removesuffix(b"\r")  # a list from Windows
                if b"\0" in line:
                    raise ValueError(f"{shown}, line {number}: a NUL byte; paths separated by NUL are read with --null")
            if len(line) > _LONGEST_NAME:
                raise ValueError(f"{shown}, line {number}: {len(line):,} bytes are no path; is it a list of paths?")
            if line.strip():
                yield os.fsdecode(line.removeprefix(codecs.BOM_UTF8) if number == 1 else line)


@contextmanager
def _opened(name: str) -> Iterator[BufferedReader]:
    if name != STANDARD_INPUT:
        with open(expanded(name), "rb") as file:
            yield file
    elif sys.stdin is None:
        raise ValueError("--list - reads standard input, which is closed")
    else:
        yield cast(BufferedReader, sys.stdin.buffer)


def _lines(file: BufferedReader, separator: bytes) -> Iterator[bytes]:
    rest = b""
    while block := file.read1(_BLOCK):  # what is there; a pipe need not be full
        *lines, rest = (rest + block).split(separator)
        yield from lines
        if len(rest) > _LONGEST_NAME:
            break
    yield rest
