"""Main memory that this process may still take."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

_KILOBYTES = re.compile(r"(\w+):\s+(\d+) kB")
#: Limit and use of a container's memory, in both layouts of Linux; a limit of words is none.
_CONTAINERS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def available_memory() -> int | None:
    """Return the bytes that are free: in the machine, in its container, and within the limits of this process.

    Returns:
        The smallest of the three that are known, at least 0; None where the system tells none.
    """
    free = [*_machine(), *_container(), *_own_limit()]
    return max(min(free), 0) if free else None


def _machine() -> Iterator[int]:
    if (about := _table("/proc/meminfo")).get("MemAvailable"):
        yield about["MemAvailable"]
    elif "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):  # all there is, where no one says what is free
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _container() -> Iterator[int]:
    for limit, used in _CONTAINERS:
        try:
            yield int(Path(limit).read_text()) - int(Path(used).read_text())
        except (OSError, ValueError):
            continue


def _own_limit() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        yield limit - _table("/proc/self/status").get("VmSize", 0)


def _table(path: str) -> dict[str, int]:
    """Sizes of a file of /proc in bytes, by name; empty where there is no such file."""
    try:
        return {name: 1024 * int(size) for name, size in _KILOBYTES.findall(Path(path).read_text())}
    except OSError:
        return {}
