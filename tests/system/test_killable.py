"""Processes that hang or die are ended and replaced, and take nobody with them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from videogn.system import killable
from videogn.system.killable import KillableProcess, ProcessDiedError, StartError, TimeLimitError

FACTORY = "unruly:Unruly"
LIMIT = 60.0


@pytest.fixture
def process() -> Iterator[KillableProcess]:
    process = KillableProcess(FACTORY, 5)
    yield process
    process.close()


def _gone(pid: int, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        status = Path(f"/proc/{pid}/stat")
        if not status.exists() or status.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


def test_the_object_keeps_its_state(process):
    assert process.call("add", 1, limit=LIMIT) == 6
    assert process.call("add", 2, limit=LIMIT) == 8


def test_the_process_is_another_one(process):
    pid = process.call("pid", limit=LIMIT)
    assert pid == process.pid != os.getpid()
    process.close()
    assert _gone(pid)
    assert process.pid is None


def test_an_exception_is_passed_on_and_the_process_lives(process):
    process.call("add", 1, limit=LIMIT)
    with pytest.raises(ValueError, match="as asked"):
        process.call("fail", limit=LIMIT)
    assert process.call("add", 0, limit=LIMIT) == 6


@pytest.mark.parametrize("factory", ["unruly:Unknown", "no_such_module:Unruly"])
def test_a_factory_that_does_not_exist(factory):
    with pytest.raises(StartError, match=f"^{factory} cannot be imported in a process of its own"):
        KillableProcess(factory).call("pid", limit=LIMIT)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("exit 3", "ended with status 3 before it could start"),
        ("kill -KILL $$", "ended by SIGKILL before it could start"),
        ("sleep 100", r"did not start in 0\.5 s"),
        (None, "cannot be started .No such file"),
    ],
)
def test_a_process_that_does_not_start(tmp_path, monkeypatch, program, words):
    python = tmp_path / "python"
    if program is not None:
        python.write_text(f"#!/bin/sh\n{program}\n")
        python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(killable, "_START_LIMIT", 0.5 if program == "sleep 100" else 60.0)
    process = KillableProcess(FACTORY)
    with pytest.raises(StartError, match=words):
        process.call("pid", limit=LIMIT)
    assert process.pid is None
    monkeypatch.undo()
    assert process.call("add", 1, limit=LIMIT) == 1
    process.close()


def test_a_process_that_is_killed_while_it_starts_is_started_again(tmp_path, monkeypatch):
    python, mark = tmp_path / "python", tmp_path / "started"
    python.write_text(f'#!/bin/sh\n[ -e {mark} ] || {{ touch {mark}; kill -KILL $$; }}\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    process = KillableProcess(FACTORY)
    assert process.call("pid", limit=LIMIT) == process.pid
    assert mark.exists()
    process.close()


def test_modules_in_the_working_directory_are_not_imported(process, tmp_path, monkeypatch):
    for name in ("socket", "signal", "unruly", "videogn"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError")
    monkeypatch.chdir(tmp_path)
    assert process.call("add", 1, limit=LIMIT) == 6


def test_other_systems_are_told(process, monkeypatch):
    monkeypatch.setattr(killable, "ON_POSIX", False)
    with pytest.raises(StartError, match="needs Linux, macOS or another POSIX system"):
        process.call("pid", limit=LIMIT)


@pytest.mark.parametrize("limit", [0, -1, 3e6, float("inf"), float("nan")])
def test_limits_that_cannot_be_kept(process, limit):
    with pytest.raises(ValueError, match="limit must be between 0 and 1000000 seconds, got"):
        process.call("pid", limit=limit)


def test_it_is_killed_from_another_thread(process):
    process.call("pid", limit=LIMIT)
    threading.Timer(0.3, process.kill).start()
    with pytest.raises(ProcessDiedError, match="ended by SIGKILL"):
        process.call("hang", limit=LIMIT)


def test_a_process_that_cannot_be_ended_is_left(process, monkeypatch):
    """As one is that waits for a dead disk."""
    monkeypatch.setattr(killable, "_END_LIMIT", 0.2)
    process.call("pid", limit=LIMIT)
    ended, left = process._process, time.monotonic()
    monkeypatch.setattr(ended, "kill", lambda: None)
    with pytest.raises(TimeLimitError):
        process.call("hang", limit=0.2)
    assert time.monotonic() - left < 5
    assert ended.poll() is None
    os.kill(ended.pid, signal.SIGKILL)
    ended.wait()


def test_what_the_factory_raises_is_passed_on():
    with pytest.raises(ValueError, match="count must be >= 0, got -1"):
        KillableProcess(FACTORY, -1).call("pid", limit=LIMIT)


@pytest.mark.parametrize(("method", "arguments"), [("hang", ()), ("sleep", (600,))])
def test_a_hang_ends_at_the_limit_and_the_process_is_replaced(process, method, arguments):
    pid = process.call("pid", limit=LIMIT)
    started = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"not done after 0\.5 s"):
        process.call(method, *arguments, limit=0.5)
    assert time.monotonic() - started < 30
    assert _gone(pid)
    assert process.call("add", 1, limit=LIMIT) == 6  # anew


def test_time_in_which_the_owner_is_stopped_does_not_count():
    """Each look at the connection here takes as long as the owner is stopped in it, an hour."""
    looks: list[float] = []

    class Waiting:
        def poll(self, seconds: float) -> bool:
            looks.append(seconds)
            return len(looks) == 3

    assert killable._answered(Waiting(), 1.2)
    assert looks == pytest.approx([0.5, 0.5, 0.2])
    looks[:] = [0.0] * 4
    assert not killable._answered(Waiting(), 1.0)
    assert looks[4:] == [0.5, 0.5, 0]


def test_a_process_that_was_stopped_together_with_its_owner(process):
    """Its alarm, later than the owner's limit, goes off when both go on, as after `scontrol suspend`."""
    first = process.call("pid", limit=LIMIT)
    alarm = threading.Timer(0.3, os.kill, (first, signal.SIGALRM))
    alarm.start()
    assert process.call("sleep", 1.0, limit=LIMIT) is None
    alarm.join()
    assert process.call("pid", limit=LIMIT) != first


def test_a_process_is_in_a_group_of_its_own(process):
    """Ctrl-C and Ctrl-Z in a terminal are for its owner, also while it starts."""
    pid = process.call("pid", limit=LIMIT)
    assert os.getpgid(pid) == pid
    assert os.getsid(pid) == os.getsid(0)


@pytest.mark.parametrize(("method", "reason"), [("crash", "ended by SIGSEGV"), ("leave", "ended with status 3")])
def test_a_crash_is_told_and_the_process_is_replaced(process, method, reason):
    with pytest.raises(ProcessDiedError, match=reason):
        process.call(method, limit=LIMIT)
    assert process.call("add", 1, limit=LIMIT) == 6


def test_a_process_killed_between_two_calls_is_replaced(process):
    os.kill(process.call("pid", limit=LIMIT), signal.SIGKILL)
    with pytest.raises(ProcessDiedError, match="ended by SIGKILL"):
        process.call("add", 1, limit=LIMIT)
    assert process.call("add", 1, limit=LIMIT) == 6


def test_inherited_files(process):
    with tempfile.TemporaryFile() as file:
        file.write(b"shared")
        file.flush()
        process = KillableProcess(FACTORY, inherit=[file.fileno()])
        assert process.call("read", file.fileno(), limit=LIMIT) == b"shared"
        process.close()


def test_nothing_is_left_when_the_owner_is_killed():
    """Not even a process that hangs: it ends itself, here after 1 s and the grace."""
    code = (
        "import sys; sys.path[:0] = sys.argv[1:]\n"
        "import videogn.system.killable as k; k._GRACE = 1.0\n"
        f"p = k.KillableProcess({FACTORY!r}); print(p.call('pid', limit=60), flush=True); p.call('hang', limit=1000)\n"
    ).replace("limit=1000", "limit=1")
    code = code.replace("p.call('hang'", "p.close = lambda: __import__('time').sleep(600); p.call('hang'")
    owner = subprocess.Popen([sys.executable, "-c", code, *sys.path], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    pid = int(owner.stdout.readline())
    owner.kill()
    owner.wait()
    assert _gone(pid)


def test_a_fork_gets_a_process_of_its_own(process):
    first = process.call("pid", limit=LIMIT)
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        os.write(writing, str(process.call("pid", limit=LIMIT)).encode())
        process.close()
        os._exit(0)
    os.waitpid(child, 0)
    assert int(os.read(reading, 100)) != first
    assert process.call("pid", limit=LIMIT) == first


def test_several_threads_each_with_their_own():
    """A thread that waits does not stop the others."""
    done: list[int] = []

    def work() -> None:
        process = KillableProcess(FACTORY)
        process.call("sleep", 0.2, limit=LIMIT)
        done.append(process.call("add", 1, limit=LIMIT))
        process.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1, 1, 1, 1]
