"""What makes a command ready sooner."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

#: Number of frozen objects that Python itself may begin with (375 in 3.12).
_OF_PYTHON = 1000


@contextmanager
def imports_that_stay() -> Iterator[None]:
    """Import modules without looking for garbage among what they make, then or later.

    They make hundreds of thousands of objects that stay. Python looks through all of them each time that they have
    grown by a quarter, and once more at its end, which takes a third of the time of `import torch`. Once in a process:
    what is garbage at the end of this is never found.

    Example:
        >>> with imports_that_stay():
        ...     import json
    """
    if gc.get_freeze_count() > _OF_PYTHON or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
