"""Run a command that does not outlive whoever started it: `python leash.py PARENT COMMAND ...`.

A study that is killed outright has no chance to end its trainings, and one that goes on unseen would write into the
folder that the next run works in. On Linux the kernel kills it instead; elsewhere the cell's lock keeps others out.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def leashed(command: Sequence[str]) -> list[str]:
    """The same command, on a leash of this process; the signal comes when the thread that starts it ends.

    Args:
        command: program and arguments.

    Returns:
        The command to start.
    """
    # As a file: nothing of the package is imported on the way.
    return [sys.executable, __file__, str(os.getpid()), *command]


def main(argv: Sequence[str]) -> None:
    """Become the command."""
    parent, *command = argv
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):  # it was gone before the kernel knew
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
