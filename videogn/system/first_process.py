"""The first process of a training run of several, which starts the others and asks them for no status but 0.

One of them that is asked to end before there is anything to agree about would leave the first one waiting for it.
"""

from __future__ import annotations

import os
from contextlib import suppress

#: Environment variable with the process number of the first one.
_FIRST = "VIDEOGN_FIRST_PROCESS"


def become_first() -> None:
    """Be the first process of all that this one starts, unless it is one of those."""
    if not is_further():
        os.environ[_FIRST] = str(os.getpid())


def is_further() -> bool:
    """Return whether the first process of a run has started this one."""
    return os.environ.get("LOCAL_RANK", "0") != "0" and os.environ.get(_FIRST) == str(os.getppid())


def tell_first(number: int) -> None:
    """Pass a signal on from a further process to the first one.

    Args:
        number: Number of the signal that asked this process to end.
    """
    if is_further():
        with suppress(OSError):  # it has ended
            os.kill(os.getppid(), number)
