"""Whoever leaves in the middle of the work leaves nothing running, and waits for nobody for long."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing

import pyarrow as pa
import pytest

from videogn.indexing.findings import Probe, inspected, probe_files
from videogn.system import killable_pool
from videogn.system.killable import KillableProcess, StartError
from videogn.system.killable_pool import work_through

FACTORY = "unruly:Unruly"


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_closing_kills_the_processes():
    pids: list[int] = []

    def work(process: KillableProcess, task: int) -> int:
        pids.append(process.call("pid", limit=60))
        if task:
            process.call("hang", limit=600)
        return task

    with closing(work_through(FACTORY, work, iter(range(9)), workers=2)) as results:
        assert next(results) == (0, 0)
        while len(pids) < 3:  # both processes hang
            time.sleep(0.02)
        started = time.monotonic()
    assert time.monotonic() - started < 10
    assert not any(map(_is_running, pids))


def test_a_thread_that_never_ends_is_left(monkeypatch):
    monkeypatch.setattr(killable_pool, "_STOP_LIMIT", 0.3)
    dead_disk = threading.Event()

    def work(process: KillableProcess, task: int) -> int:
        return dead_disk.wait() if task else task

    with closing(work_through(FACTORY, work, iter(range(3)), workers=2)) as results:
        next(results)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    dead_disk.set()


def test_an_interrupt_where_results_are_taken_ends_the_work(tmp_path, monkeypatch):
    stopped = []
    stop = killable_pool._Pool.stop
    monkeypatch.setattr(killable_pool._Pool, "stop", lambda pool: (stop(pool), stopped.append(pool)))
    for name in "abc":
        (tmp_path / f"{name}.mp4").write_text("ok 20")
    paths = pa.array([str(tmp_path / f"{name}.mp4") for name in "abc"])

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    probe = Probe(decode=True, timeout=60, workers=1, factory="inspectors:PlainInspector")
    with pytest.raises(KeyboardInterrupt) as caught:
        probe_files(paths, probe, tmp_path / "journal", interrupt)
    assert caught.value.__traceback__ is not None  # which keeps every frame, and what is in it, alive
    assert len(stopped) == 1


def test_a_failed_start_is_no_status(tmp_path):
    (tmp_path / "a.mp4").write_text("ok 20")
    probe = Probe(decode=True, timeout=60, workers=1, factory="no_such_module:Inspector")
    with pytest.raises(StartError, match="no_such_module:Inspector cannot be imported"):
        list(inspected(pa.array([str(tmp_path / "a.mp4")]), probe))
    journal = tmp_path / "journal"
    with pytest.raises(StartError):
        probe_files(pa.array([str(tmp_path / "a.mp4")]), probe, journal, lambda done, total: None)
    assert "a.mp4" not in journal.read_text()
