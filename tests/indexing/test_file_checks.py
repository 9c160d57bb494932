"""Checking many files: an interrupt or a failed start leaves nothing running, and is no status of a file."""

from __future__ import annotations

import pyarrow as pa
import pytest

from videogn.indexing.file_checks import FileChecks, check_files, checked
from videogn.system import killable_pool
from videogn.system.killable import StartError


def test_an_interrupt_where_results_are_taken_ends_the_work(tmp_path, monkeypatch):
    stopped = []
    stop = killable_pool._Pool.stop
    monkeypatch.setattr(killable_pool._Pool, "stop", lambda pool: (stop(pool), stopped.append(pool)))
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text("ok 20")
    paths = pa.array([str(tmp_path / f"{name}.mp4") for name in "abc"])

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    checks = FileChecks(decode=True, timeout=60, workers=1, factory="checkers:PlainChecker")
    with pytest.raises(KeyboardInterrupt) as caught:
        check_files(paths, checks, tmp_path / "journal", interrupt)
    assert caught.value.__traceback__ is not None  # which keeps every frame, and what is in it, alive
    assert len(stopped) == 1


def test_a_failed_start_is_no_status(tmp_path):
    (tmp_path / "a.mp4").write_text("ok 20")
    checks = FileChecks(decode=True, timeout=60, workers=1, factory="no_such_module:Checker")
    with pytest.raises(StartError, match="no_such_module:Checker cannot be imported"):
        list(checked(pa.array([str(tmp_path / "a.mp4")]), checks))
    journal = tmp_path / "journal"
    with pytest.raises(StartError):
        check_files(pa.array([str(tmp_path / "a.mp4")]), checks, journal, lambda done, total: None)
    assert "a.mp4" not in journal.read_text()
