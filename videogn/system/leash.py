"""Run a command that does not outlive whoever started it: `python leash.py PARENT COMMAND ...`.

A study that is killed outright has no chance to end its trainings, and one that goes on unseen would write into the
folder that the next run works in. On Linux the kernel kills it instead. Elsewhere nothing does: there, end a training
that outlived its study by hand before the study is run again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
#: Set in the environment of a leashed command: its process number.
_LEADER = "VIDEOGN_LEASHED"


def leashed(command: Sequence[str]) -> list[str]:
    """The same command, on a leash of this process; the signal comes when the thread that starts it ends.

    Args:
        command: program and arguments.

    Returns:
        The command to start.
    """
    # As a file: nothing of the package is imported on the way.
    return [sys.executable, __file__, str(os.getpid()), *command]


def hold_on() -> None:
    """Let a process that a leashed command starts for a further device end with that command; nothing elsewhere."""
    leader = os.environ.get(_LEADER)
    if leader is not None and int(leader) != os.getpid():
        _end_with(int(leader))


def main(argv: Sequence[str]) -> None:
    """Become the command."""
    parent, *command = argv
    _end_with(int(parent))
    os.environ[_LEADER] = str(os.getpid())
    os.execvp(command[0], command)


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, or end it now where that has happened; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it was gone before the kernel knew
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
