"""A disk without room, made up."""

from __future__ import annotations

from contextlib import contextmanager

import pytest


@contextmanager
def files_of_at_most(size: int):
    """Let no file of this process grow larger, as a full disk would; Python ignores the signal."""
    resource = pytest.importorskip("resource")  # Windows has none
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
