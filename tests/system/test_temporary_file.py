"""Temporary files on disks that know no locks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from videogn.system import partial_files
from videogn.system.temporary_file import TemporaryFile


def test_a_disk_without_locks(monkeypatch, tmp_path):
    """It would make one file after the other, and never come to an end."""

    def none(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(partial_files.fcntl, "flock", none)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    file = TemporaryFile(lambda path: Path(path).write_text("a") and None)
    other = TemporaryFile(lambda path: Path(path).write_text("b") and None)
    assert {path.read_text() for path in tmp_path.iterdir()} == {"a", "b"}
    del file, other
