"""Running a grid: every cell once, side by side, resumable, failures named. A stand-in plays `videogn` where it can."""

from __future__ import annotations

import json
import sys
import threading
import time

import pytest
from filelock import FileLock
from training import SMALL, TINY

from videogn.study import Cell, CellResult, Recipe, read_results, run_study
from videogn.study import cells as cells_module
from videogn.study.cells import grid, prepare, validation_errors

CELLS = grid(["bn", "gn"], [(8, 2, 8), (8, 2, 2)], [0])

# Writes what `videogn fit` and `videogn test` write, and appends a line to calls.txt beside the study.
STAND_IN = """
import json, os, pathlib, sys, time
command, *arguments = sys.argv[1:]
options = dict(a.removeprefix("--").split("=", 1) for a in arguments if "=" in a)
folder = pathlib.Path(options.get("trainer.default_root_dir") or options["model.results_dir"])
with open(folder.parent / "calls.txt", "a") as calls:
    calls.write(f"{command} {folder.name} {os.environ['OMP_NUM_THREADS']}\\n")
if command == "fit":
    if options.get("fail") == folder.name:
        sys.exit("out of memory")
    time.sleep(float(options.get("sleep", 0)))
    (folder / "metrics.csv").write_text("epoch,val/top1\\n0,0.25\\n1,0.75\\n")
    (folder / "config.yaml").write_text("trainer: {max_epochs: 2}")
else:
    (folder / "results.json").write_text(json.dumps({"over_all": {"top1": 0.75}}))
"""


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN)
    monkeypatch.setattr(cells_module, "_videogn", lambda command: [sys.executable, str(script), command])
    return tmp_path / "study"


def _calls(out) -> list[str]:
    path = out / "calls.txt"
    return path.read_text().splitlines() if path.exists() else []


def test_every_cell_is_trained_and_tested_once(stand_in):
    assert run_study(CELLS, Recipe(), stand_in, jobs=2, threads=1) == {}
    assert sorted(_calls(stand_in)) == sorted(f"{what} {cell.name} 1" for cell in CELLS for what in ("fit", "test"))
    results = read_results(stand_in)
    assert {result.cell for result in results} == set(CELLS)
    assert all(result.val_error == (0.75, 0.25) for result in results)
    assert all(result.test == {"over_all": {"top1": 0.75}} for result in results)


def test_finished_cells_are_not_run_again(stand_in):
    run_study(CELLS[:2], Recipe(), stand_in)
    before = _calls(stand_in)
    (stand_in / CELLS[2].name).mkdir()  # an interrupted one
    (stand_in / CELLS[2].name / "metrics.csv").write_text("epoch,val/top1\n0,0.1\n")
    assert run_study(CELLS, Recipe(), stand_in) == {}
    again = _calls(stand_in)[len(before) :]
    assert {line.split()[1] for line in again} == {cell.name for cell in CELLS[2:]}
    assert CellResult.read(stand_in / CELLS[2].name).val_error == (0.75, 0.25)


def test_a_trained_cell_is_only_tested(stand_in):
    """A test that failed, for want of memory say, must not cost the training."""
    cell = CELLS[0]
    recipe = Recipe()
    (stand_in / cell.name / "checkpoints").mkdir(parents=True)
    (stand_in / cell.name / "checkpoints" / "last.ckpt").touch()
    (stand_in / cell.name / "recipe.txt").write_text(recipe.fingerprint())
    (stand_in / cell.name / "metrics.csv").write_text("epoch,val/top1\n0,0.5\n")
    (stand_in / cell.name / "trained").touch()
    run_study([cell], recipe, stand_in)
    assert [call.split()[0] for call in _calls(stand_in)] == ["test"]
    assert CellResult.read(stand_in / cell.name).val_error == (0.5,)


def test_an_interrupted_training_goes_on(stand_in):
    cell = CELLS[0]
    recipe = Recipe()
    (stand_in / cell.name / "checkpoints").mkdir(parents=True)
    (stand_in / cell.name / "checkpoints" / "last.ckpt").touch()
    (stand_in / cell.name / "recipe.txt").write_text(recipe.fingerprint())
    (stand_in / cell.name / "metrics.csv").write_text("epoch,val/top1\n0,0.125\n")
    assert prepare(stand_in / cell.name, recipe.fingerprint())[0].startswith("--ckpt_path=")
    assert validation_errors(stand_in / cell.name) == (0.875,)
    # The stand-in writes epochs 0 and 1 anew: the newer file wins.
    run_study([cell], recipe, stand_in)
    assert [call.split()[0] for call in _calls(stand_in)] == ["fit", "test"]
    assert CellResult.read(stand_in / cell.name).val_error == (0.75, 0.25)
    # Under another recipe nothing of it is used.
    assert prepare(stand_in / cell.name, "another") == []


def test_two_studies_in_one_folder(stand_in):
    stand_in.mkdir()
    with FileLock(stand_in / ".lock"), pytest.raises(ValueError, match="another study is running"):
        run_study(CELLS[:1], Recipe(), stand_in)


def test_another_recipe_is_not_mixed_in(stand_in):
    run_study(CELLS[:1], Recipe(), stand_in)
    with pytest.raises(ValueError, match="was run with other settings"):
        run_study(CELLS, Recipe(arguments=("--x=1",)), stand_in)


def test_a_failed_cell_is_named_and_the_others_go_on(stand_in):
    failed = run_study(CELLS, Recipe(arguments=(f"--fail={CELLS[1].name}",)), stand_in, jobs=2)
    assert list(failed) == [CELLS[1]]
    assert failed[CELLS[1]].startswith("out of memory (see ")
    assert {result.cell for result in read_results(stand_in)} == set(CELLS) - {CELLS[1]}


def test_states_are_reported(stand_in):
    states = []
    run_study(CELLS[:1], Recipe(), stand_in, report=states.append)
    phases = list(dict.fromkeys(state.phase for state in states))
    assert phases == ["waiting", "training", "testing", "finished"]
    last = next(state for state in reversed(states) if state.phase == "testing")
    assert (last.epochs, last.total_epochs) == (2, 2)


def test_cells_run_side_by_side(stand_in):
    started = time.monotonic()
    run_study(CELLS, Recipe(arguments=("--sleep=1.5",)), stand_in, jobs=4)
    assert time.monotonic() - started < 4 * 1.5


def test_an_interrupt_ends_the_processes(stand_in, monkeypatch):
    """Whoever presses Ctrl-C does not want trainings to go on unseen."""

    def interrupt(state) -> None:
        if state.phase == "training" and threading.current_thread() is not threading.main_thread():
            raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run_study(CELLS, Recipe(arguments=("--sleep=60",)), stand_in, jobs=2, report=interrupt)
    assert time.monotonic() - started < 30
    assert not list(stand_in.glob("*/cell.json"))


@pytest.mark.parametrize(("jobs", "message"), [(0, "jobs must be > 0, got 0")])
def test_wrong_numbers(stand_in, jobs, message):
    with pytest.raises(ValueError, match=message):
        run_study(CELLS, Recipe(), stand_in, jobs=jobs)


@pytest.mark.slow
def test_a_real_cell_and_its_report(videogn, capsys, motion, tmp_path):
    """`videogn study` for one norm with everything real, then a second run that has nothing left to do."""
    further = [*SMALL, *TINY, f"--data.root={motion}", "--trainer.max_epochs=2", "--trainer.limit_train_batches=2"]
    arguments = ["study", "--out", tmp_path / "study", "--norms", "bn", "--settings", "4x2@4", "--step-clips", "8"]
    assert videogn(*arguments, "--", *further) == 0
    cell = Cell("bn", 4, 2, 4, 0)
    result = CellResult.read(tmp_path / "study" / cell.name)
    assert len(result.val_error) == 2
    assert result.test["counts"]["evaluated"] == 16
    assert result.test["model"]["norm"] == "bn"
    report = (tmp_path / "study" / "report.md").read_text()
    assert f"| 4 x 2 | 4 | {100 * result.test['over_all']['top1']:.1f} /" in report
    assert (tmp_path / "study" / "validation_error.png").stat().st_size > 0
    before = json.dumps(result.test)
    assert videogn(*arguments, "--", *further) == 0
    assert json.dumps(CellResult.read(tmp_path / "study" / cell.name).test) == before
    assert "| 4 x 2 | 4 |" in capsys.readouterr().out
