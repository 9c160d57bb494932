"""Standard input, output and error where a daemon or a shell has closed them."""

from __future__ import annotations

import os
import sys

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
