"""How many processor cores this process may use."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Cores that the process is allowed to run on; a container may have fewer than its machine.

    Returns:
        At least 1.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
