"""The Ray engine: the same numbers as on this machine, and what becomes of lost workers."""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from forked import run_command
from stand_in import StandIn

from videogn.study import running
from videogn.study.cell_files import CellResult, read_state
from videogn.study.grid import make_grid
from videogn.study.making import make_study
from videogn.study.ray_engine import RayEngine, read_progress
from videogn.study.schedule import run_cells
from videogn.study.study_files import cell_folder
from videogn.study.training_log import LAST_CHECKPOINT
from videogn.system.stopping import StopEvent

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")


def test_without_ray(videogn, motion, tmp_path, monkeypatch, capsys):
    """One line, with what to do."""
    monkeypatch.setitem(sys.modules, "ray", None)
    grid = tmp_path / "grid.yaml"
    grid.write_text(yaml.safe_dump(_content(motion)))
    assert videogn("study", "run", grid, "--out", tmp_path / "study", "--engine", "ray") == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "videogn: error: --engine ray needs Ray: pip install 'videogn[ray]'"
    )


def _content(motion, norms=("bn", "gn")):
    fit = {
        "trainer": {"accelerator": "cpu", "log_every_n_steps": 1, "num_sanity_val_steps": 0},
        "model": {"arch": "i3d_tiny", "arch_options": {"width": 8}, "crop_size": 32, "short_side": 32},
        "data": {"root": str(motion), "num_workers": 0, "num_clips": 2, "time_limit": 0, "flip": 0.0},
    }
    fit["data"]["train_short_sides"] = [32, 36]
    axes = {"norm": list(norms), "clip": "4x2", "batch_size": 4}
    return {"title": "Small", "fit": fit, "axes": axes, "budget": {"epochs": 4}}


def _make(motion, out, norms=("bn", "gn")):
    grid = make_grid(_content(motion, norms))
    return grid.cells, make_study(grid, out, command="test")


def _numbers(out, cell):
    result = CellResult.read(cell_folder(out, cell))
    assert result is not None
    versions = {"seconds", "versions"}
    test = {name: value for name, value in result.test.items() if name not in versions}
    return [asdict(point) for point in result.curve], test["over_all"], test["per_class"], result.cost["clips"]


def _training(folder):
    """(process, parent) of the training in a folder, or None."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            command = (status.parent / "cmdline").read_bytes().decode().split("\0")
            fields = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if "fit" in command and f"--trainer.default_root_dir={folder}" in command and "Z" not in fields["State"]:
            return int(status.parent.name), int(fields["PPid"])
    return None


def _gone(process):
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if "\nState:\tZ" in Path(f"/proc/{process}/status").read_text():
                return True
        except OSError:
            return True
        time.sleep(0.1)
    return False


@pytest.fixture(scope="module")
def ray_engine():
    """On this machine, one cell at a time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_TOKEN", 64 * "0")  # or Ray would write one into the home folder
        before = signal.getsignal(signal.SIGTERM)
        engine = RayEngine(None, jobs=1, threads=1)
        assert signal.getsignal(signal.SIGTERM) is before
        yield engine
        engine.close()


@pytest.fixture
def stand_in(tmp_path, monkeypatch, ray_engine):
    """A stand-in for the two commands of a cell, which the cells of the workers find first."""
    package = tmp_path / "here" / "videogn"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setitem(ray_engine._environment, "PYTHONPATH", str(package.parent))
    return StandIn(package / "__main__.py")


def _without_ray(cell, out, monkeypatch):
    monkeypatch.setattr(running, "run_command", run_command)
    state = running.run_cell(cell_folder(out, cell))
    assert state.phase == "finished", state


@needs_ray
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_lost_worker_is_a_failure_and_the_numbers_are_those_without_ray(motion, ray_engine, tmp_path, monkeypatch):
    """The worker is killed in the middle of the training, which ends with it; the second attempt goes on."""
    assert ray_engine.slots == 1
    (cell,), out = _make(motion, tmp_path / "by ray", norms=["bn"])
    killed, seen = [], []

    def report(state):
        seen.append(state)
        if state.phase == "training" and 0 < state.done < 1 and not killed:
            found = _training(cell_folder(out, state.cell))
            if found:
                killed.extend(found)
                os.kill(found[1], signal.SIGKILL)
        if state.phase == "failed":
            assert _gone(killed[0])  # the training, which was on a leash

    states = run_cells([cell], out, ray_engine, retries=1, report=report)
    assert [state.phase for state in states.values()] == ["finished"]
    assert killed
    failures = [state for state in seen if state.phase == "failed"]
    assert [state.cell for state in failures] == [cell]
    assert failures[0].reason.startswith("WorkerCrashedError: ")
    assert "\n" not in failures[0].reason
    assert read_state(cell_folder(out, cell))["attempts"] == 2
    assert CellResult.read(cell_folder(out, cell)).machine["threads"] == "1"
    _, locally = _make(motion, tmp_path / "local", norms=["bn"])
    _without_ray(cell, locally, monkeypatch)
    assert _numbers(out, cell) == _numbers(locally, cell)


@needs_ray
@pytest.mark.slow
def test_a_training_that_is_stopped_goes_on_later(motion, ray_engine, stand_in, tmp_path):
    """It is asked to stop, and has the time to write its checkpoint."""
    (cell,), out = _make(motion, tmp_path / "study", norms=["gn"])
    folder = cell_folder(out, cell)
    stop = StopEvent()
    leave = "signal.signal(signal.SIGTERM, lambda *_: (last.parent.mkdir(), last.touch(), sys.exit()))"
    stand_in.tell({"fit": f"{leave}; (folder / 'begun').touch(); time.sleep(60)"})

    def report(state):
        if (folder / "begun").exists():
            stop.set()

    assert ray_engine.run(folder, stop, report).phase == "stopped"
    assert read_state(folder)["phase"] == "stopped"
    assert read_progress(folder) is None
    assert (folder / LAST_CHECKPOINT).is_file()
    assert _training(folder) is None
    assert CellResult.read(folder) is None
    stand_in.tell({})
    assert ray_engine.run(folder, StopEvent(), lambda state: None).phase == "finished"
    assert read_state(folder)["attempts"] == 2
    calls = [(call["command"], call["resumed"], call["OMP_NUM_THREADS"]) for call in stand_in.calls]
    assert calls == [("fit", False, "1"), ("fit", True, "1"), ("test", True, "1")]


@needs_ray
@pytest.mark.slow
def test_a_cell_that_waits_for_room_does_not_begin_once_stopped(motion, ray_engine, stand_in, tmp_path):
    """Two cells for one place; both threads of a schedule wait."""
    cells, out = _make(motion, tmp_path / "study")
    stand_in.tell({"fit": "time.sleep(60)"})
    stop = StopEvent()
    states = {}

    def run(cell):
        states[cell] = ray_engine.run(cell_folder(out, cell), stop, lambda state: stop.set())

    threads = [threading.Thread(target=run, args=(cell,)) for cell in cells]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {state.phase for state in states.values()} == {"stopped"}
    assert sorted(read_state(cell_folder(out, cell))["attempts"] for cell in cells) == [0, 1]


@needs_ray
@pytest.mark.slow
def test_the_reason_of_a_failure_comes_from_the_worker(motion, ray_engine, stand_in, tmp_path):
    cells, out = _make(motion, tmp_path / "study", norms=["gn"])
    with pytest.raises(ValueError, match="is not the folder of a cell"):
        ray_engine.run(out, StopEvent(), lambda state: None)
    stand_in.tell({"fit": "sys.exit('videogn: error: no norms')"})
    folder = cell_folder(out, cells[0])
    state = ray_engine.run(folder, StopEvent(), lambda state: None)
    assert state.phase == "failed"
    assert state.reason == f"videogn: error: no norms (see {folder / 'log.txt'})"
