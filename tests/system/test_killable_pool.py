"""Whoever leaves in the middle of the work leaves nothing running, and waits for nobody for long."""

from __future__ import annotations

import os
import threading
import time
from contextlib import closing

from videogn.system import killable_pool
from videogn.system.killable import KillableProcess
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
