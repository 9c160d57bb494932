"""One command: its log, how it ended and why, and that it does not outlive whoever started it."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from videogn.study import cell_process
from videogn.study.cell_process import Ended, explain, run_command
from videogn.system import leash
from videogn.system.leash import leashed
from videogn.system.stopping import StopEvent

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal")


def _run(tmp_path, code, *, stop=None, **options):
    environment = options.pop("environment", os.environ)
    command = [sys.executable, "-u", "-c", code]
    stop = stop or StopEvent()
    return run_command(command, tmp_path / "log.txt", environment=environment, stop=stop, **options)


def _log(tmp_path):
    return (tmp_path / "log.txt").read_text()


def _wait(condition, what="it did not happen"):
    """A minute is far more than it takes."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def _runs(pid):
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_output_is_appended_to_the_log(tmp_path):
    (tmp_path / "log.txt").write_text("before\n")
    ended = _run(tmp_path, "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert ended == Ended(3, stopped=False)
    assert _log(tmp_path) == "before\nout\nerr\n"


def test_the_environment_is_the_one_given(tmp_path):
    environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "7"}
    assert _run(tmp_path, "import os; print(os.environ)", environment=environment).status == 0
    assert "'OMP_NUM_THREADS': '7'" in _log(tmp_path)
    assert "HOME" not in _log(tmp_path)


def test_nobody_is_asked(tmp_path):
    assert _run(tmp_path, "input()").status == 1
    assert "EOFError" in _log(tmp_path)


def test_ticks_while_it_runs(tmp_path, monkeypatch):
    monkeypatch.setattr(cell_process, "_POLL_SECONDS", 0.01)
    ticks = []
    _run(tmp_path, "import time; time.sleep(0.5)", tick=lambda: ticks.append(1))
    assert len(ticks) > 1


def _when(tmp_path, text, action):
    """Do something once the log has a text; from another thread."""

    def wait():
        _wait(lambda: (tmp_path / "log.txt").exists() and text in _log(tmp_path))
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


GENTLE = """
import signal, sys, time
def end(*_): print("checkpoint"); sys.exit(143)
signal.signal(signal.SIGTERM, end); print("ready"); time.sleep(60)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN); print("ready"); time.sleep(60)
"""


def test_a_stop_lets_it_end_itself(tmp_path):
    stop = StopEvent()
    thread = _when(tmp_path, "ready", stop.set)
    assert _run(tmp_path, GENTLE, stop=stop) == Ended(143, stopped=True)
    thread.join()
    assert _log(tmp_path).splitlines() == ["ready", "checkpoint"]


def test_a_stop_ends_what_does_not_end_itself(tmp_path, monkeypatch):
    monkeypatch.setattr(cell_process, "_PATIENCE", 0.2)
    stop = StopEvent()
    thread = _when(tmp_path, "ready", stop.set)
    assert _run(tmp_path, STUBBORN, stop=stop) == Ended(-signal.SIGKILL, stopped=True)
    thread.join()


def test_a_stop_that_was_there_before(tmp_path):
    stop = StopEvent()
    stop.set()
    assert _run(tmp_path, "import time; time.sleep(60)", stop=stop).stopped


def test_an_error_beside_it_ends_it_too(tmp_path):
    def tick():
        if "ready" in _log(tmp_path):
            raise RuntimeError("beside")

    with pytest.raises(RuntimeError, match="beside"):
        _run(tmp_path, "import os, time; print(os.getpid(), 'ready'); time.sleep(60)", tick=tick)
    assert not _runs(int(_log(tmp_path).split()[0]))


def test_ctrl_c_of_the_terminal_does_not_reach_it(tmp_path):
    """It has a session of its own: it learns of Ctrl-C once, by `stop`."""
    assert _run(tmp_path, "import os; print(os.getsid(0) == os.getpid())").status == 0
    assert _log(tmp_path) == "True\n"


@LINUX
@pytest.mark.parametrize("end", ["sys.exit(1)", "os.kill(os.getpid(), 9)"])
def test_nothing_of_a_dead_training_goes_on(tmp_path, end):
    """Its other ranks and its decoders hold memory and devices that the next cell needs."""
    child = "subprocess.Popen(['sleep', '60'])"
    _run(tmp_path, f"import os, subprocess, sys; print({child}.pid); {end}")
    pid = int(_log(tmp_path))
    try:
        _wait_briefly(lambda: not _runs(pid))
        assert not _runs(pid)
    finally:
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)


def _wait_briefly(condition):
    deadline = time.monotonic() + 1
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


# The leash.

PARENT = """
import subprocess, sys, time
from videogn.system.leash import leashed
child = subprocess.Popen(leashed([sys.executable, "-c", sys.argv[1]]), start_new_session=True)
print(child.pid, flush=True)
time.sleep(60)
"""


@LINUX
@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent(tmp_path, signal_number):
    ready = tmp_path / "ready"
    child = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, child], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    try:
        _wait(ready.exists)
        assert _runs(pid)
        parent.send_signal(signal_number)
        parent.wait()
        _wait(lambda: not _runs(pid), "the child went on")
    finally:
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)
        parent.kill()
        parent.stdout.close()


@LINUX
def test_whose_parent_is_gone_does_not_begin(tmp_path):
    command = leashed([sys.executable, "-c", f"open({str(tmp_path / 'begun')!r}, 'w')"])
    command[command.index(str(os.getpid()))] = "1"  # not this process
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "begun").exists()


def test_the_leash_changes_nothing_of_the_command():
    code = "import sys; print(sys.argv[1:]); sys.exit(5)"
    done = subprocess.run(leashed([sys.executable, "-c", code, "a b", "--x=$y"]), capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (5, b"['a b', '--x=$y']\n")


def test_a_leash_is_quick_to_start():
    """It stands before every training, as a file: nothing of the package is imported on the way."""
    nodes = ast.walk(ast.parse(Path(leash.__file__).read_text(encoding="utf-8")))
    names = {name for node in nodes for name in _imported(node)}
    assert names <= sys.stdlib_module_names


def _imported(node):
    if isinstance(node, ast.Import):
        return {alias.name.split(".")[0] for alias in node.names}
    return {str(node.module).split(".")[0]} if isinstance(node, ast.ImportFrom) else set()


# Why.


@pytest.mark.parametrize(
    "line",
    [
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total",
        "RuntimeError: CUDA error: out of memory",
        "RuntimeError: [enforce fail at alloc_cpu.cpp:121] . DefaultCPUAllocator: can't allocate memory: you tried to",
        "MemoryError",
        "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape (1000000000,)",
        "videogn: error: CUDA out of memory",
        "OSError: [Errno 12] Cannot allocate memory",
    ],
)
@pytest.mark.parametrize("status", [1, 2, -9])
def test_out_of_memory(tmp_path, line, status):
    (tmp_path / "log.txt").write_text(f"$ videogn fit\nSeed set to 0\n{line}\nException in thread: closing\n")
    reason = explain(status, tmp_path / "log.txt")
    assert reason == f"out of memory: {line.removeprefix('videogn: error: ')} (see {tmp_path / 'log.txt'})"


@pytest.mark.parametrize(
    "line",
    [
        "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "RuntimeError: cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
        "RuntimeError: std::bad_alloc",
    ],
)
def test_out_of_memory_in_other_words(tmp_path, line):
    (tmp_path / "log.txt").write_text(f"{line}\n")
    assert explain(1, tmp_path / "log.txt").startswith("out of memory: ")


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        (-9, "step 5\n", "killed by SIGKILL (the system kills so when memory runs out)"),
        (-15, "step 5\n", "killed by SIGTERM"),
        (-11, "", "killed by SIGSEGV"),
        (2, "step 5\nvideogn: error: no such file: x\n\n  \n", "videogn: error: no such file: x"),
        (1, "Traceback\n  File x\nKeyError: 'a'\n", "KeyError: 'a'"),
        (1, "", "no output"),
        (1, b"caf\xe9 \xff\n".decode("latin-1"), "café ÿ"),
    ],
)
def test_other_reasons(tmp_path, status, text, reason):
    (tmp_path / "log.txt").write_text(text, encoding="utf-8")
    assert explain(status, tmp_path / "log.txt") == f"{reason} (see {tmp_path / 'log.txt'})"


def test_a_log_that_is_not_text(tmp_path):
    (tmp_path / "log.txt").write_bytes(b"\xff\xfe\x00 broken \x9c\n")
    assert "broken" in explain(1, tmp_path / "log.txt")


def test_only_the_end_of_a_long_log_counts(tmp_path):
    (tmp_path / "log.txt").write_text("could run out of memory\n" + "step\n" * 1000 + "KeyError: 'a'\n")
    assert explain(1, tmp_path / "log.txt").startswith("KeyError: 'a'")


@pytest.mark.parametrize(("status", "reason"), [(2, "videogn: error: no such file: x"), (-15, "killed by SIGTERM")])
def test_an_earlier_attempt_does_not_explain_this_one(tmp_path, status, reason):
    log = tmp_path / "log.txt"
    log.write_text("$ videogn fit\nCUDA out of memory\n$ videogn fit\nvideogn: error: no such file: x\n")
    assert explain(status, log) == f"{reason} (see {log})"


def test_a_signal_without_a_name(tmp_path):
    (tmp_path / "log.txt").write_text("step 5\n")
    assert explain(-40, tmp_path / "log.txt").startswith("killed by signal 40")


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
@pytest.mark.parametrize(("other", "status"), [(0, 0), (1, 1), (None, 0)])
def test_a_process_for_a_further_device_ends_with_the_first(other, status):
    """It may have been started by one that is gone by the time it looks: then it ends at once."""
    environment = {**os.environ, **({} if other is None else {"VIDEOGN_LEASHED": str(os.getpid() + other)})}
    code = "from videogn.system.leash import hold_on; hold_on()"
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == status
