"""Standard input, output and error of a command: open, and unable to command the terminal of who reads there.

Names are made displayable where they are put into a line. The guard is the door behind that, for what was forgotten,
and for what other packages, warnings and tracebacks write.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

from videogn.system.displayable import harmless, one_line
from videogn.system.room import WriteError, reason


def open_closed_streams() -> None:
    """Let what is written to a closed standard output or error go nowhere.

    The next file that is opened would otherwise become the standard stream: a video, or the socket of a decoder.
    `sys.stdin` stays None, so that whoever wants to read from it can say so.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the smallest free number, which is this one
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  as long as the process


def flush_output() -> None:
    """Hand what has been printed to the system; what it does not take goes nowhere, at the end of the process too.

    Raises:
        BrokenPipeError: Nobody reads it any more.
        OSError: It cannot be written. The message says so in a line.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise WriteError(f"standard output cannot be written ({reason(error)})") from error


class GuardedStream:
    """A stream of text with escapes for what a terminal would obey.

    Args:
        stream: The stream. Colours and progress bars pass only where it is a terminal, or colours are forced.

    Attributes:
        unguarded: The same stream.
    """

    def __init__(self, stream: TextIO) -> None:
        self.unguarded = stream
        self._bars = stream.isatty() or bool(os.environ.get("FORCE_COLOR"))

    def write(self, text: str) -> int:
        """Write text; return its length as it was given."""
        self.unguarded.write(harmless(text, bars=self._bars))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several pieces of text."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)


class OneLineFormatter(logging.Formatter):
    """Writes records of ours in as many lines as their messages have, whatever the names that are put into them."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the text of a record."""
        if record.name.partition(".")[0] == "videogn" and isinstance(record.args, tuple):
            args = tuple(each if isinstance(each, int | float) else one_line(each) for each in record.args)
            record = logging.makeLogRecord(vars(record) | {"args": args})
        return super().format(record)


def guard_streams() -> None:
    """Guard standard output, standard error, and warnings that are logged before anything is set up for them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        setattr(sys, name, GuardedStream(getattr(stream, "unguarded", stream)))
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(OneLineFormatter())


def data_output() -> TextIO:
    """Return standard output for data, such as CSV: exactly as it is for a file or a program, guarded in a terminal."""
    return sys.stdout if sys.stdout.isatty() else cast(TextIO, getattr(sys.stdout, "unguarded", sys.stdout))
