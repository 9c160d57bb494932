"""Files without a name."""

from __future__ import annotations

import errno
import os

import pytest

from videogn.system.memory_file import memory_file


def _forbidden(*_):
    raise OSError(errno.EPERM, "forbidden")


@pytest.mark.parametrize("size", [0, 1, 5000])
@pytest.mark.parametrize("forbidden", [False, True], ids=["in memory", "on disk"])
def test_size_and_content(monkeypatch, tmp_path, size, forbidden):
    """A system that forbids files in memory gets one on disk, of which nothing is left."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    if forbidden:
        monkeypatch.setattr(os, "memfd_create", _forbidden, raising=False)
    descriptor = memory_file(size)
    assert os.fstat(descriptor).st_size == size
    assert os.pread(descriptor, size, 0) == bytes(size)
    os.close(descriptor)
    assert not list(tmp_path.iterdir())


def test_no_space(monkeypatch):
    def full(descriptor, offset, size):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    before = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    with pytest.raises(OSError, match="No space left"):
        memory_file(10)
    after = os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []
    assert len(after) == len(before)
