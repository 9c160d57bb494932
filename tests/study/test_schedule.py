"""All cells of a study: each once, side by side, failures named and tried again as asked, stopped cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from filelock import FileLock

from videogn.study import CellResult, CellState, cell_files, running, schedule, study_files
from videogn.study.cell_files import prepare, read_state, write_state
from videogn.study.engines import LocalEngine
from videogn.study.grid import make_grid
from videogn.study.schedule import run_cells
from videogn.study.study_files import cell_folder
from videogn.system.room import WriteError
from videogn.system.stopping import Stopped

GRID = make_grid({"axes": {"norm": ["bn", "gn"], "clip": "8x2", "batch_size": [8, 2]}, "budget": {"epochs": 2}})
CELLS = GRID.cells


@pytest.fixture
def out(tmp_path):
    """A study of four cells that are prepared."""
    out = tmp_path / "study"
    for cell in CELLS:
        config = cell.fit_config({})
        prepare(cell_folder(out, cell), cell, config, own_data=None, data_root=None, planned={"steps": 4})
    return out


def _run(out, cells=CELLS, jobs=2, **options):
    return run_cells(cells, out, LocalEngine(jobs, threads=1), **options)


def _phases(states):
    return [states[cell].phase for cell in CELLS if cell in states]


def test_every_cell_once(stand_in, out):
    states = _run(out)
    assert list(states) == list(CELLS)
    assert _phases(states) == ["finished"] * 4
    calls = sorted((call["cell"], call["command"]) for call in stand_in.calls)
    assert calls == sorted((cell.name, command) for cell in CELLS for command in ("fit", "test"))
    assert all(CellResult.read(cell_folder(out, cell)).cell == cell for cell in CELLS)


def test_finished_cells_are_left_alone(stand_in, out):
    _run(out, CELLS[:2])
    files = [path for cell in CELLS[:2] for path in cell_folder(out, cell).rglob("*") if path.name != ".lock"]
    before = {path: path.stat().st_mtime_ns for path in files}
    assert _phases(_run(out)) == ["finished"] * 4
    assert _phases(_run(out)) == ["finished"] * 4
    assert len(stand_in.calls) == 8
    assert {path: path.stat().st_mtime_ns for path in files} == before


def test_cells_run_side_by_side(stand_in, out):
    """Each waits for the three others to begin."""
    stand_in.tell(
        {"fit": "(folder / 'begun').touch()\nwhile len(list(folder.parent.glob('*/begun'))) < 4: time.sleep(.01)"}
    )
    assert _phases(_run(out, jobs=4)) == ["finished"] * 4


def test_no_more_than_asked_for_at_once(stand_in, out):
    count = "len(list(folder.parent.glob('*/begun')))"
    stand_in.tell(
        {"fit": f"(folder / 'begun').touch(); time.sleep(.2); print('at once', {count}); (folder / 'begun').unlink()"}
    )
    _run(out, jobs=2)
    logs = [(cell_folder(out, cell) / "log.txt").read_text() for cell in CELLS]
    assert all("at once 1" in log or "at once 2" in log for log in logs)


def test_cells_begin_in_order(stand_in, out):
    _run(out, jobs=1)
    assert [call["cell"] for call in stand_in.calls[::2]] == [cell.name for cell in CELLS]


DEATHS = {
    "sys.exit('RuntimeError: CUDA out of memory. Tried to allocate 2 GiB')": "out of memory: RuntimeError: CUDA out of",
    "raise MemoryError": "out of memory: MemoryError",
    "os.kill(os.getpid(), signal.SIGKILL)": "killed by SIGKILL",
    "sys.exit(7)": "see",
}


@pytest.mark.parametrize("death", DEATHS)
def test_a_cell_that_dies_is_named_and_the_others_go_on(stand_in, out, death):
    stand_in.tell({f"fit {CELLS[0].name}": death})
    states = _run(out, jobs=1)
    assert _phases(states) == ["failed", "finished", "finished", "finished"]
    assert DEATHS[death] in states[CELLS[0]].reason
    state = read_state(cell_folder(out, CELLS[0]))
    assert state == {"phase": "failed", "attempts": 1, "reason": states[CELLS[0]].reason}


@pytest.mark.parametrize("retry_failed", [True, False])
def test_a_full_disk_begins_no_other_cell_and_is_no_fault_of_one(stand_in, out, retry_failed):
    """The next run trains the cell, whose checkpoint could not be written, and those that have not begun."""
    line = "videogn: error: runs/last.ckpt cannot be written (No space left on device, 0 B free)"
    stand_in.tell({f"fit {CELLS[1].name}": f"print({line!r}); sys.exit(2)"})
    states = _run(out, jobs=1, retries=2)
    assert _phases(states) == ["finished", "failed", "waiting", "waiting"]
    assert states[CELLS[1]].reason.startswith(line)
    assert not (cell_folder(out, CELLS[1]) / "trained").exists()
    assert read_state(cell_folder(out, CELLS[1]))["attempts"] == 1
    stand_in.tell({})
    assert _phases(_run(out, retry_failed=retry_failed)) == ["finished"] * 4


def test_a_cell_whose_state_cannot_be_written(stand_in, out, monkeypatch):
    """Its process is not even started, and neither are those of the others."""

    def full(folder, **changes):
        raise WriteError(f"{folder}/state.json cannot be written (No space left on device, 0 B free)")

    with monkeypatch.context() as patched:
        patched.setattr(running, "write_state", full)
        patched.setattr(schedule, "write_state", full)
        states = _run(out, jobs=1)
    assert _phases(states) == ["failed", "waiting", "waiting", "waiting"]
    assert "state.json cannot be written" in states[CELLS[0]].reason
    assert stand_in.calls == []
    assert _phases(_run(out)) == ["finished"] * 4


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_retries_are_counted(stand_in, out, retries):
    stand_in.tell({f"fit {CELLS[1].name}": "sys.exit(1)"})
    states = _run(out, retries=retries)
    assert _phases(states) == ["finished", "failed", "finished", "finished"]
    assert read_state(cell_folder(out, CELLS[1]))["attempts"] == retries + 1
    assert [call["cell"] for call in stand_in.calls].count(CELLS[1].name) == retries + 1


def test_numbers_that_are_not_finite_are_not_tried_again(stand_in, out):
    """The same seed would give the same: the cell has failed with that reason, until somebody runs it again."""
    line = "videogn: error: the loss is nan at step 7 (epoch 0, learning rate 0.1), in a batch of a.mp4"
    stand_in.tell({f"fit {CELLS[1].name}": f"print({line!r}); sys.exit(1)"})
    states = _run(out, retries=2)
    assert _phases(states) == ["finished", "failed", "finished", "finished"]
    assert states[CELLS[1]].reason.startswith(line)
    assert read_state(cell_folder(out, CELLS[1]))["attempts"] == 1


def test_a_retry_goes_on_from_the_checkpoint_and_may_do(stand_in, out):
    once = (
        "first = not last.exists(); last.parent.mkdir(exist_ok=True); last.touch()\nif first: os.kill(os.getpid(), 9)"
    )
    stand_in.tell({"fit": once})
    assert _phases(_run(out, retries=1)) == ["finished"] * 4
    assert [call["resumed"] for call in stand_in.calls if call["cell"] == CELLS[0].name] == [False, True, True]
    assert {read_state(cell_folder(out, cell))["attempts"] for cell in CELLS} == {2}
    assert {read_state(cell_folder(out, cell))["reason"] for cell in CELLS} == {None}


@pytest.mark.parametrize(("retry_failed", "phase", "attempts"), [(True, "finished", 2), (False, "failed", 1)])
def test_what_failed_in_an_earlier_run(stand_in, out, retry_failed, phase, attempts):
    stand_in.tell({f"fit {CELLS[2].name}": "sys.exit('because')"})
    _run(out, CELLS[1:3])
    stand_in.tell({})
    states = _run(out, retry_failed=retry_failed)
    assert _phases(states) == ["finished", "finished", phase, "finished"]
    assert read_state(cell_folder(out, CELLS[2]))["attempts"] == attempts
    if not retry_failed:
        assert states[CELLS[2]].reason.startswith("because (see ")


class _Engine:
    """One that raises for some cells."""

    slots = 2

    def __init__(self, errors):
        self.errors = errors
        self.local = LocalEngine(2, threads=1)

    def run(self, folder, stop, report):
        if folder.name in self.errors:
            raise self.errors[folder.name]
        return self.local.run(folder, stop, report)

    def close(self):
        """Nothing is held."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("the node\n  is gone"), "the node is gone"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (AssertionError(), "AssertionError"),
        (KeyError("a"), "'a'"),
    ],
)
def test_what_an_engine_raises_is_that_cell_s_failure(stand_in, out, error, reason):
    reported = []
    states = run_cells(CELLS, out, _Engine({CELLS[3].name: error}), report=reported.append)
    assert _phases(states) == ["finished"] * 3 + ["failed"]
    assert states[CELLS[3]].reason == reason
    assert (CellState(CELLS[3], "failed", reason=reason)) in reported
    assert read_state(cell_folder(out, CELLS[3]))["reason"] == reason


def test_a_cell_that_somebody_else_runs_keeps_its_state(stand_in, out, monkeypatch):
    """A job of a cluster, say: it trains, and `study status` must not say that it failed."""
    monkeypatch.setattr(cell_files, "LOCK_PATIENCE", 0.05)
    folder = cell_folder(out, CELLS[0])
    write_state(folder, phase="training", attempts=1)
    with FileLock(folder / ".lock"):
        states = _run(out)
    assert "another process is running" in states[CELLS[0]].reason
    assert _phases(states)[1:] == ["finished"] * 3
    assert read_state(folder) == {"phase": "training", "attempts": 1, "reason": None}


def test_two_runs_in_one_folder(stand_in, out, monkeypatch):
    monkeypatch.setattr(study_files, "LOCK_PATIENCE", 0.05)
    with FileLock(out / ".lock"), pytest.raises(ValueError, match=f"another study is running in {out}"):
        _run(out)
    assert stand_in.calls == []
    assert _phases(_run(out)) == ["finished"] * 4


def test_states_are_reported(stand_in, out):
    _run(out, CELLS[:1])
    states = []
    _run(out, CELLS[:2], report=states.append)
    assert [(state.cell, state.phase) for state in states[:2]] == [(CELLS[0], "finished"), (CELLS[1], "waiting")]
    phases = [state.phase for state in states if state.cell == CELLS[1]]
    assert list(dict.fromkeys(phases)) == ["waiting", "training", "testing", "finished"]


def test_wrong_numbers(out):
    with pytest.raises(ValueError, match="retries must be >= 0, got -1"):
        _run(out, retries=-1)


# Stopping.

#: A training that writes a checkpoint when it is asked to end.
GENTLE = """
def end(*_):
    last.parent.mkdir(exist_ok=True); last.touch(); sys.exit(143)
signal.signal(signal.SIGTERM, end); (folder / "begun").touch(); time.sleep(60)
"""


def _begun(out):
    return len(list(out.glob("cells/*/begun")))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_cleanly_and_a_rerun_goes_on(stand_in, out, number):
    stand_in.tell({"fit": GENTLE})
    sent = threading.Event()

    def report(state):
        if _begun(out) == 2 and not sent.is_set():
            sent.set()
            os.kill(os.getpid(), number)

    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(Stopped) as stopped:
        _run(out, report=report)
    assert stopped.value.status == 128 + number
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert len(stand_in.calls) == 2  # the two others were not begun
    phases = [read_state(cell_folder(out, cell))["phase"] for cell in CELLS]
    assert phases == ["stopped", "stopped", "waiting", "waiting"]
    stand_in.tell({})
    assert _phases(_run(out)) == ["finished"] * 4
    resumed = {call["cell"]: call["resumed"] for call in stand_in.calls[2:] if call["command"] == "fit"}
    assert resumed == {cell.name: number < 2 for number, cell in enumerate(CELLS)}


def test_a_stop_is_no_failure_and_no_retry(stand_in, out):
    """Also where the training ends with an error because of it."""
    stand_in.tell({"fit": GENTLE.replace("sys.exit(143)", "sys.exit('RuntimeError: interrupted')")})
    sent = threading.Event()

    def report(state):
        if _begun(out) == 2 and not sent.is_set():
            sent.set()
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        _run(out, report=report, retries=3)
    assert len(stand_in.calls) == 2
    assert {read_state(cell_folder(out, cell))["phase"] for cell in CELLS[:2]} == {"stopped"}


STUDY = """
import sys
from pathlib import Path
from videogn.study import running
from videogn.study.engines import LocalEngine
from videogn.study.cell_files import read_cell
from videogn.study.schedule import run_cells
out, script = map(Path, sys.argv[1:])
running._videogn = lambda command: [sys.executable, str(script), command]
cells = [read_cell(path)[0] for path in sorted((out / "cells").iterdir())]
try:
    run_cells(cells, out, LocalEngine(2, threads=1))
except KeyboardInterrupt:
    sys.exit(99)
"""


@pytest.fixture
def study(stand_in, out):
    """A process that runs the study, two cells of which have begun."""
    stand_in.tell({"fit": "signal.signal(signal.SIGTERM, signal.SIG_IGN); (folder / 'begun').touch(); time.sleep(120)"})
    process = subprocess.Popen([sys.executable, "-c", STUDY, out, stand_in.script])
    try:
        _wait(lambda: _begun(out) == 2)
        yield process
    finally:
        process.kill()
        process.wait()
        for call in stand_in.calls:
            if _runs(call["pid"]):
                os.kill(call["pid"], signal.SIGKILL)


def _wait(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return "Z" not in stat.read().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False


linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@linux
def test_a_second_ctrl_c_ends_at_once(study, stand_in):
    """Trainings that do not listen, too; the first one alone would wait a minute for them."""
    study.send_signal(signal.SIGINT)
    study.send_signal(signal.SIGINT)  # within a second it is the same request
    time.sleep(1.5)
    assert study.poll() is None
    study.send_signal(signal.SIGTERM)
    assert study.wait(20) == 99
    _wait(lambda: not any(_runs(call["pid"]) for call in stand_in.calls))


@linux
def test_nothing_goes_on_after_a_kill(study, stand_in, out):
    study.kill()
    study.wait()
    _wait(lambda: not any(_runs(call["pid"]) for call in stand_in.calls))
    stand_in.tell({})
    assert _phases(_run(out)) == ["finished"] * 4
    attempts = [read_state(cell_folder(out, cell))["attempts"] for cell in CELLS]
    assert sorted(attempts) == [1, 1, 2, 2]
    for path in out.rglob("*.json"):
        json.loads(path.read_text())
    assert not list(out.rglob("*.partial*"))
