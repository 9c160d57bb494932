"""One cell from whatever it has come to: a stand-in plays `videogn fit` and `videogn test`."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import replace

import pytest
import torch
from filelock import FileLock

from videogn.study import Budget, Cell, CellResult, CurvePoint, Norm, cell_files, run_cell
from videogn.study import engines as engines_module
from videogn.study.cell_files import prepare, read_state, write_state
from videogn.study.engines import LocalEngine
from videogn.study.running import machine
from videogn.study.transfers import is_finished, unfinished_state
from videogn.system.stopping import StopEvent

CELL = Cell(Norm("gn"), 8, 2, 8, 1, Budget("epochs", 2))
CURVE = (CurvePoint(1, 2, 2 * 8 * 8, 0.75, 2.0), CurvePoint(2, 4, 4 * 8 * 8, 0.25, 1.0))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "study" / "cells" / CELL.name
    prepare(folder, CELL, CELL.fit_config({}), own_data=None, data_root=tmp_path / "data", planned={"steps": 4})
    return folder


def _commands(stand_in):
    return [(call["command"], call["resumed"]) for call in stand_in.calls]


def test_a_cell_is_trained_tested_and_written(stand_in, folder):
    states = []
    assert run_cell(folder, environment={"OMP_NUM_THREADS": "3"}, report=states.append).phase == "finished"
    assert _commands(stand_in) == [("fit", False), ("test", True)]
    assert {call["OMP_NUM_THREADS"] for call in stand_in.calls} == {"3"}
    result = CellResult.read(folder)
    assert result.cell == CELL
    assert result.curve == CURVE
    assert result.test == {"over_all": {"top1": 0.75}}
    assert result.cost["training_seconds"] == 2.0
    assert result.cost["testing_seconds"] > 0
    assert (result.planned, result.attempts, result.machine["threads"]) == ({"steps": 4}, 1, "3")
    assert list(dict.fromkeys(state.phase for state in states)) == ["training", "testing", "finished"]
    assert [state.done for state in states][:1] == [0.0]
    assert {state.done for state in states if state.phase != "training"} == {1.0}
    assert read_state(folder) == {"phase": "finished", "attempts": 1, "reason": None}
    # The file for people has what the result has.
    assert (folder / "curve.csv").read_text().splitlines()[1:] == ["1,2,128,0.75,2.0", "2,4,256,0.25,1.0"]


def test_the_commands_are_in_the_log_and_in_the_result(stand_in, folder, tmp_path):
    stand_in.tell({"fit": "print('step 5')", "test": "print('accuracy', file=sys.stderr)"})
    run_cell(folder)
    commands = [" ".join(command) for command in CellResult.read(folder).commands]
    log = (folder / "log.txt").read_text().splitlines()
    assert log == [f"$ {commands[0]}", "step 5", f"$ {commands[1]}", "accuracy"]
    fit, test = commands
    for command in commands:
        assert f"--config={folder / 'fit.yaml'} --data.root={tmp_path / 'data'} " in command
        assert f"--trainer.default_root_dir={folder}" in command
    assert f"--ckpt_path={folder / 'checkpoints' / 'last.ckpt'} --model.results_dir={folder}" in test
    assert "--model.save_clip_probabilities=true" in test
    assert "--ckpt_path" not in fit


def test_a_finished_cell_is_never_run_again(stand_in, folder):
    run_cell(folder)
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != ".lock"}
    assert run_cell(folder).phase == "finished"
    assert len(stand_in.calls) == 2
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir() if path.name != ".lock"} == before


def test_all_of_a_finished_cell_is_done(stand_in, folder):
    run_cell(folder)
    assert run_cell(folder).done == 1.0


def test_a_failed_training(stand_in, folder):
    stand_in.tell({"fit": "sys.exit('videogn: error: no such file: x')"})
    state = run_cell(folder)
    reason = f"videogn: error: no such file: x (see {folder / 'log.txt'})"
    assert (state.phase, state.reason) == ("failed", reason)
    assert read_state(folder) == {"phase": "failed", "attempts": 1, "reason": reason}
    assert CellResult.read(folder) is None
    stand_in.tell({})
    assert run_cell(folder).phase == "finished"
    assert read_state(folder) == {"phase": "finished", "attempts": 2, "reason": None}
    assert CellResult.read(folder).attempts == 2


def test_a_failed_test_does_not_cost_the_training(stand_in, folder):
    stand_in.tell({"test": "os.kill(os.getpid(), 9)"})
    assert run_cell(folder).reason.startswith("killed by SIGKILL")
    stand_in.tell({})
    assert run_cell(folder).phase == "finished"
    assert _commands(stand_in) == [("fit", False), ("test", True), ("test", True)]
    assert CellResult.read(folder).curve == CURVE


def test_a_training_goes_on_from_its_checkpoint(stand_in, folder):
    """It died after its first validation; the log of that is kept."""
    died = (
        "last.parent.mkdir(); last.touch(); (folder / 'metrics.csv').write_text('epoch,step,val/top1\\n0,1,0.125\\n')"
    )
    stand_in.tell({"fit": f"{died}; os.kill(os.getpid(), 9)"})
    assert run_cell(folder).phase == "failed"
    after = "(folder / 'metrics.csv').write_text('epoch,step,val/top1\\n1,3,0.5\\n')"
    stand_in.tell({"fit": f"{after}; (folder / 'cost.json').write_text('{{\"steps\": 4}}'); sys.exit(0)"})
    assert run_cell(folder).phase == "finished"
    assert _commands(stand_in) == [("fit", False), ("fit", True), ("test", True)]
    assert [(p.epoch, p.val_error) for p in CellResult.read(folder).curve] == [(1, 0.875), (2, 0.5)]


def test_a_stop_leaves_the_cell_to_go_on(stand_in, folder):
    stand_in.tell({"fit": "(folder / 'begun').touch(); time.sleep(60)"})
    stop = StopEvent()

    def report(state):
        if (folder / "begun").exists():
            stop.set()

    assert run_cell(folder, stop=stop, report=report).phase == "stopped"
    assert read_state(folder) == {"phase": "stopped", "attempts": 1, "reason": None}
    stand_in.tell({})
    assert run_cell(folder).phase == "finished"


def test_a_test_that_leaves_nothing_makes_no_result(stand_in, folder):
    stand_in.tell({"test": "sys.exit(0)"})
    with pytest.raises(FileNotFoundError, match=r"results\.json"):
        run_cell(folder)
    assert CellResult.read(folder) is None


STOPPED = "last.parent.mkdir(exist_ok=True); last.touch(); sys.exit(0)"
SHORT = """(folder / 'cost.json').write_text('{"steps": 1}')"""


@pytest.mark.parametrize(
    ("fit", "reason"),
    [(STOPPED, "its training has not come to its end"), (f"{SHORT}; {STOPPED}", "it was trained for 1 of 4 steps")],
)
def test_half_a_training_is_not_tested(stand_in, folder, fit, reason):
    """Whatever its exit status; also where an earlier version has marked it as trained. The next run goes on."""
    (folder / "trained").touch()
    stand_in.tell({"fit": fit})
    assert run_cell(folder).reason == f"{reason} (see {folder / 'log.txt'})"
    assert _commands(stand_in) == [("fit", False)]
    stand_in.tell({})
    assert run_cell(folder).phase == "finished"
    assert _commands(stand_in) == [("fit", False), ("fit", True), ("test", True)]


def test_a_result_of_half_a_training_is_mended(stand_in, folder):
    """As earlier versions left it; a training that ends early by itself is a whole one."""
    assert run_cell(folder).phase == "finished"
    result = json.loads((folder / "result.json").read_text())
    halved = {**result, "cost": {**result["cost"], "steps": 1}, "curve": result["curve"][:1]}
    (folder / "result.json").write_text(json.dumps(halved))
    assert is_finished(folder)
    del halved["cost"]["ended_by"]
    (folder / "result.json").write_text(json.dumps(halved))
    (folder / "cost.json").write_text(json.dumps(halved["cost"]))
    (folder / "metrics.csv").unlink()
    assert not is_finished(folder)
    assert unfinished_state(folder)[0] == "waiting"
    assert run_cell(folder).phase == "finished"
    assert CellResult.read(folder).cost["steps"] == 4
    assert _commands(stand_in)[2:] == [("fit", True), ("test", True)]


def test_an_error_of_the_study_is_recorded(stand_in, folder, monkeypatch):
    """As job arrays see it, which call this and no schedule."""
    stand_in.tell({"test": "sys.exit(0)"})
    with pytest.raises(FileNotFoundError):
        run_cell(folder)
    assert read_state(folder)["phase"] == "failed"
    assert "results.json" in read_state(folder)["reason"]


def test_two_at_one_cell(stand_in, folder, monkeypatch):
    monkeypatch.setattr(cell_files, "LOCK_PATIENCE", 0.05)
    write_state(folder, phase="training", attempts=1)
    with FileLock(folder / ".lock"), pytest.raises(BlockingIOError, match=f"another process is running {folder}"):
        run_cell(folder)
    assert read_state(folder) == {"phase": "training", "attempts": 1, "reason": None}
    assert stand_in.calls == []


def test_not_a_cell(tmp_path):
    with pytest.raises(ValueError, match="is not the folder of a cell"):
        run_cell(tmp_path)


@pytest.mark.parametrize(
    ("budget", "planned", "done"),
    [
        (Budget("epochs", 8), {"steps": None}, 0.25),
        (Budget("epochs", 1), {"steps": None}, 1.0),
        (Budget("iterations", 16), {"steps": 16}, 0.25),
        (Budget("minutes", 1), {"steps": None}, 0.0),
    ],
)
def test_how_far_it_is(stand_in, tmp_path, budget, planned, done):
    """The stand-in's log ends with epoch 2, step 4."""
    cell = replace(CELL, budget=budget)
    prepare(tmp_path / "c", cell, cell.fit_config({}), own_data=None, data_root=None, planned=planned)
    states = []
    stand_in.tell({"test": "sys.exit(1)"})
    run_cell(tmp_path / "c", report=states.append)
    assert {state.done for state in states if state.phase == "testing"} == {done}


def test_the_machine():
    about = machine({"CUDA_VISIBLE_DEVICES": "3"})
    assert (about["cores"], about["visible_devices"], about["threads"]) == (os.cpu_count(), "3", None)
    assert about["vector_instructions"] == torch.backends.cpu.get_cpu_capability() != ""
    assert json.dumps(about)


# The engine of this machine.


def _environments(engine, stand_in, tmp_path):
    """What `slots` cells at once saw, each waiting for the others to begin."""
    cells = [replace(CELL, seed=seed) for seed in range(engine.slots)]
    wait = f"while len(list(beside.glob('begun*'))) < {engine.slots}: time.sleep(0.01)"
    stand_in.tell({"fit": f"(beside / f'begun {{folder.name}}').touch()\n{wait}"})
    threads = []
    for cell in cells:
        place = tmp_path / "cells" / cell.name
        prepare(place, cell, cell.fit_config({}), own_data=None, data_root=None, planned={})
        run = threading.Thread(target=engine.run, args=(place, StopEvent(), lambda state: None))
        threads.append(run)
        run.start()
    for thread in threads:
        thread.join(60)
    return [call for call in stand_in.calls if call["command"] == "fit"]


@pytest.mark.parametrize(
    ("jobs", "gpus", "devices_per_cell", "sets"),
    [
        (None, "0123", 1, ["0", "1", "2", "3"]),
        (2, "0123", 1, ["0", "1"]),
        (8, "01", 1, ["0", "1"]),  # more jobs than GPUs: cells wait rather than share one
        (None, "0123", 2, ["0,1", "2,3"]),
        (None, "01234", 2, ["0,1", "2,3"]),
        (None, "573", 3, ["5,7,3"]),
        (None, ["GPU-a", "MIG-b"], 1, ["GPU-a", "MIG-b"]),
    ],
)
def test_every_cell_has_devices_of_its_own(stand_in, tmp_path, jobs, gpus, devices_per_cell, sets):
    engine = LocalEngine(jobs, gpus=list(gpus), devices_per_cell=devices_per_cell)
    assert engine.slots == len(sets)
    calls = _environments(engine, stand_in, tmp_path)
    assert sorted(call["CUDA_VISIBLE_DEVICES"] for call in calls) == sorted(sets)


@pytest.mark.parametrize(
    ("cores", "jobs", "threads", "each"),
    [(8, 2, None, "4"), (8, 3, None, "2"), (2, 4, None, "1"), (8, None, None, "8"), (8, 2, 3, "3")],
)
def test_cells_share_the_cores(stand_in, tmp_path, monkeypatch, cores, jobs, threads, each):
    monkeypatch.setattr(engines_module, "available_cores", lambda: cores)
    engine = LocalEngine(jobs, threads=threads)
    assert engine.slots == (jobs or 1)
    for call in _environments(engine, stand_in, tmp_path):
        assert (call["OMP_NUM_THREADS"], call["MKL_NUM_THREADS"]) == (each, each)
        assert call["CUDA_VISIBLE_DEVICES"] == os.environ.get("CUDA_VISIBLE_DEVICES")


def test_cells_that_wait_for_a_gpu_take_no_cores(stand_in, tmp_path, monkeypatch):
    monkeypatch.setattr(engines_module, "available_cores", lambda: 8)
    calls = _environments(LocalEngine(8, gpus=["0", "1"]), stand_in, tmp_path)
    assert {call["OMP_NUM_THREADS"] for call in calls} == {"4"}


def test_a_slot_is_free_again_after_a_failure(stand_in, folder):
    engine = LocalEngine(1, gpus=["0"])
    for _ in range(3):
        with pytest.raises(ValueError, match="is not the folder of a cell"):
            engine.run(folder.parent, StopEvent(), lambda state: None)
    assert engine.run(folder, StopEvent(), lambda state: None).phase == "finished"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"jobs": 0}, "jobs must be >= 1, got 0"),
        ({"jobs": -1}, "jobs must be >= 1, got -1"),
        ({"threads": 0}, "threads must be >= 1, got 0"),
        ({"gpus": ["0"], "devices_per_cell": 2}, "devices of a cell must be <= 1, the GPUs there are, got 2"),
    ],
)
def test_wrong_numbers(options, words):
    with pytest.raises(ValueError, match=words):
        LocalEngine(**options)


def test_devices_of_a_cell_without_gpus():
    """Processes of a CPU: they need no set of devices."""
    assert LocalEngine(2, devices_per_cell=2).slots == 2
