"""Commands that do not outlive the process that started them: `python leash.py PARENT COMMAND ...`.

A study that is killed outright cannot end its training runs, and a training run that goes on unseen would write into
the folder of the next one. On Linux the kernel kills it instead. Elsewhere nothing does: end such a run by hand before
the study is run again.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
#: Environment variable of a leashed command with its process number.
_LEADER = "VIDEOGN_LEASHED"


def leashed(command: Sequence[str]) -> list[str]:
    """Put a command on a leash: it is killed when the thread of this process that starts it ends.

    Args:
        command: Program and arguments.

    Returns:
        Command to start instead.
    """
    # Run as a file, so that nothing of the package is imported on the way.
    return [sys.executable, "-P", __file__, str(os.getpid()), *command]


def hold_on() -> None:
    """Put this process on the leash of the leashed command that started it, if any: distributed training does so."""
    leader = os.environ.get(_LEADER)
    if leader is not None and int(leader) != os.getpid():
        _end_with(int(leader))


def main(argv: Sequence[str]) -> None:
    """Put this process on the leash and replace it by the command."""
    parent, *command = argv
    _end_with(int(parent))
    os.environ[_LEADER] = str(os.getpid())
    os.execvp(command[0], command)


def _end_with(parent: int) -> None:
    """Let the kernel kill this process when its parent ends, or end it now if the parent has ended; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the kernel was told
            sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
