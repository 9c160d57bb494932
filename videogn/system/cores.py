"""Number of processor cores."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Return the number of cores that this process may run on; a container may have fewer than its machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
