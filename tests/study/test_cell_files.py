"""What is prepared in a cell's folder, what a resumed training finds there, and the curve."""

from __future__ import annotations

import json
import threading

import pytest
import yaml
from filelock import FileLock

from videogn.study import Budget, Cell, CellResult, CurvePoint, Norm, cell_files
from videogn.study.cell_files import is_running, locked, prepare, read_cell, read_state, write_state
from videogn.study.training_log import read_curve, resume_arguments, write_curve

CELL = Cell(Norm("gn", (("groups", 8),)), 8, 2, 4, 2, Budget("epochs", 2), init="a.pth", seed=1)
HEAD = "epoch,step,train/loss_step,val/top1\n"


def _prepare(folder, base=None, **changes):
    options = {"own_data": None, "data_root": None, "planned": {"steps": 4}} | changes
    prepare(folder, CELL, CELL.fit_config(base or {}), **options)


def _result(folder):
    cost = {"training_seconds": 1.5, "peak_device_bytes": None}
    curve = (CurvePoint(1, 2, 64, 0.75, 2.0), CurvePoint(2, 4, 128, 0.5))
    about = ({"over_all": {"top1": 0.5}}, cost, {"peak_bytes": 3}, 2, {"cores": 2}, (("fit",), ("test", "x")))
    return CellResult(CELL, "ab", curve, *about, folder)


def _files(folder):
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}


def test_what_is_prepared(tmp_path):
    folder = tmp_path / "cells" / "one"
    _prepare(folder, {"data": {"root": "x"}}, data_root=tmp_path / "motion", own_data={"size": 32})
    assert yaml.safe_load((folder / "fit.yaml").read_text()) == CELL.fit_config({"data": {"root": "x"}})
    cell, about = read_cell(folder)
    assert cell == CELL
    assert about["data_root"] == str(tmp_path / "motion")
    assert about["planned"] == {"steps": 4}
    assert read_state(folder) == {"phase": "waiting", "attempts": 0, "reason": None}
    assert {path.name for path in folder.iterdir()} == {"fit.yaml", "cell.json"}


def test_not_the_folder_of_a_cell(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} is not the folder of a cell: it has no cell.json"):
        read_cell(tmp_path)


def test_the_same_settings_keep_what_was_begun(tmp_path):
    """Also where the study has moved meanwhile, or its plan has changed."""
    _prepare(tmp_path / "a", data_root=tmp_path / "motion")
    (tmp_path / "a" / "checkpoints").mkdir()
    (tmp_path / "a" / "checkpoints" / "last.ckpt").touch()
    (tmp_path / "a").rename(tmp_path / "b")
    _prepare(tmp_path / "b", data_root=tmp_path / "elsewhere", planned={"steps": 5})
    assert (tmp_path / "b" / "checkpoints" / "last.ckpt").exists()
    assert read_cell(tmp_path / "b")[1]["data_root"] == str(tmp_path / "elsewhere")


@pytest.mark.parametrize("other", [{"base": {"model": {"lr": 1}}}, {"own_data": {"videos_per_class": 3}}])
def test_other_settings_begin_an_unfinished_cell_anew(tmp_path, other):
    _prepare(tmp_path / "a")
    (tmp_path / "a" / "checkpoints").mkdir()
    (tmp_path / "a" / "trained").touch()
    write_state(tmp_path / "a", phase="failed", attempts=3, reason="because")
    _prepare(tmp_path / "a", **other)
    assert {path.name for path in (tmp_path / "a").iterdir()} == {"fit.yaml", "cell.json"}
    assert read_state(tmp_path / "a")["attempts"] == 0


@pytest.mark.parametrize("other", [{"base": {"model": {"lr": 1}}}, {"own_data": {"videos_per_class": 3}}])
def test_other_settings_refuse_a_finished_cell(tmp_path, other):
    _prepare(tmp_path / "a")
    _result(tmp_path / "a").write()
    before = _files(tmp_path / "a")
    with pytest.raises(ValueError, match=f"{tmp_path / 'a'} was run with other settings: name another folder"):
        _prepare(tmp_path / "a", **other)
    assert _files(tmp_path / "a") == before


def test_a_finished_cell_is_not_touched(tmp_path):
    _prepare(tmp_path / "a")
    _result(tmp_path / "a").write()
    before = _files(tmp_path / "a")
    _prepare(tmp_path / "a")
    assert _files(tmp_path / "a") == before


def test_what_was_begun_with_other_settings_is_put_aside(tmp_path, caplog):
    """Nothing of it is gone on from, and nothing is lost: it may be days of training."""
    _prepare(tmp_path / "a")
    (tmp_path / "a" / "checkpoints").mkdir()
    (tmp_path / "a" / "checkpoints" / "last.ckpt").write_text("days")
    _prepare(tmp_path / "a", {"model": {"lr": 1}})
    assert not (tmp_path / "a" / "checkpoints").exists()
    (aside,) = tmp_path.glob("a.old-*")
    assert (aside / "checkpoints" / "last.ckpt").read_text() == "days"
    assert f"a was begun with other settings: put aside as {aside}" in caplog.text


def test_how_fast_a_cell_runs_is_no_other_setting(tmp_path):
    _prepare(tmp_path / "a", {"model": {"lr": 1}, "data": {"num_workers": 0}})
    (tmp_path / "a" / "checkpoints").mkdir()
    _prepare(tmp_path / "a", {"model": {"lr": 1, "clips_per_forward": 2}, "data": {"num_workers": 4}})
    assert (tmp_path / "a" / "checkpoints").exists()
    assert "num_workers: 4" in (tmp_path / "a" / "fit.yaml").read_text()


def test_a_failed_write_leaves_the_old_files(tmp_path, monkeypatch):
    _prepare(tmp_path / "a")
    before = _files(tmp_path / "a")
    monkeypatch.setattr(json, "dumps", lambda *args, **kwargs: (_ for _ in ()).throw(OSError("disk full")))
    for write in (lambda: write_state(tmp_path / "a", phase="training"), lambda: _result(tmp_path / "a").write()):
        with pytest.raises(OSError, match="disk full"):
            write()
    monkeypatch.undo()
    assert _files(tmp_path / "a") == before


def test_a_state_is_changed_in_part(tmp_path):
    write_state(tmp_path, phase="training", attempts=1)
    write_state(tmp_path, phase="failed", reason="because")
    assert read_state(tmp_path) == {"phase": "failed", "attempts": 1, "reason": "because"}


def test_a_result_survives_its_file(tmp_path):
    assert CellResult.read(tmp_path) is None
    _result(tmp_path).write()
    assert CellResult.read(tmp_path) == _result(tmp_path)
    assert "folder" not in json.loads((tmp_path / "result.json").read_text())  # it may move


def test_one_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(cell_files, "LOCK_PATIENCE", 0.05)
    with (
        FileLock(tmp_path / ".lock"),
        pytest.raises(BlockingIOError, match="another process is running"),
        locked(tmp_path),
    ):
        pass
    with pytest.raises(KeyError), locked(tmp_path):
        raise KeyError
    with locked(tmp_path):  # let go of
        pass


def test_whoever_is_told_to_end_may_take_a_moment(tmp_path):
    lock = FileLock(tmp_path / ".lock", thread_local=False)
    lock.acquire()
    timer = threading.Timer(0.2, lock.release)
    timer.start()
    assert is_running(tmp_path)
    with locked(tmp_path):
        assert not lock.is_locked  # whoever had it let go first
        assert is_running(tmp_path)  # and nobody else can have it now
    assert not is_running(tmp_path)
    timer.join()


# Going on, and the curve.


def test_a_training_without_checkpoint_begins_with_an_empty_curve(tmp_path):
    """Nothing of it was kept: neither may its log."""
    (tmp_path / "metrics.csv").write_text(HEAD + "0,1,,0.25\n")
    (tmp_path / "metrics.000.csv").write_text(HEAD + "0,1,,0.25\n")
    assert resume_arguments(tmp_path) == []
    assert read_curve(tmp_path, CELL) == ()
    assert not list(tmp_path.glob("metrics*"))


def test_every_interruption_puts_a_log_aside(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    for number in range(12):
        (tmp_path / "metrics.csv").write_text(f"{HEAD}{number},{number},,0.25\n")
        assert resume_arguments(tmp_path) == [f"--ckpt_path={tmp_path / 'checkpoints' / 'last.ckpt'}"]
    assert resume_arguments(tmp_path)  # stopped before it logged anything
    assert len(list(tmp_path.glob("metrics*.csv"))) == 12
    assert [point.epoch for point in read_curve(tmp_path, CELL)] == list(range(1, 13))


WHOLE = ["0,0,4.0,", "0,1,2.0,", "0,1,,0.25", "1,2,3.0,", "1,3,1.0,", "1,3,,0.75", "2,4,0.5,", "2,5,0.25,", "2,5,,1.0"]
CURVE = (
    CurvePoint(1, 2, 2 * 8 * 8, 0.75, 3.0),
    CurvePoint(2, 4, 4 * 8 * 8, 0.25, 2.0),
    CurvePoint(3, 6, 6 * 8 * 8, 0.0, 0.375),
)


@pytest.mark.parametrize(
    "logs",
    [
        [WHOLE],
        [WHOLE[:3], WHOLE[3:]],
        [WHOLE[:4], WHOLE[3:]],  # the step after the checkpoint, twice
        [WHOLE[:3], WHOLE[2:7], WHOLE[5:]],  # validations again
        [WHOLE[:1], WHOLE[:2], WHOLE],
        [WHOLE, []],
    ],
)
def test_the_curve_of_interrupted_logs_is_that_of_a_whole_one(tmp_path, logs):
    for number, rows in enumerate(logs):
        name = "metrics.csv" if number == len(logs) - 1 else f"metrics.{number:03d}.csv"
        (tmp_path / name).write_text(HEAD + "".join(f"{row}\n" for row in rows))
    assert read_curve(tmp_path, CELL) == CURVE


def test_a_curve_by_hand(tmp_path):
    """A step is 4 x 2 clips of 8 frames; not every step is logged, perhaps none."""
    (tmp_path / "metrics.csv").write_text(HEAD + "0,4,,0.125\n1,9,,0.375\n")
    assert read_curve(tmp_path, CELL) == (CurvePoint(1, 5, 320, 0.875), CurvePoint(2, 10, 640, 0.625))
    write_curve(tmp_path, read_curve(tmp_path, CELL))
    assert (
        tmp_path / "curve.csv"
    ).read_text() == "epoch,step,frames,val_error,train_loss\n1,5,320,0.875,\n2,10,640,0.625,\n"


def test_before_there_is_anything(tmp_path):
    assert read_curve(tmp_path, CELL) == ()
    (tmp_path / "metrics.csv").write_text("")
    assert read_curve(tmp_path, CELL) == ()


@pytest.mark.parametrize("half", ["1", "1,", "1,3", "1,3,", "1,3,,", "1,3,1."])
def test_a_line_that_a_kill_cut_off(tmp_path, half):
    """A log has what its writer flushed; a resumed training writes the line again."""
    (tmp_path / "metrics.csv").write_text(HEAD + "\n".join([*WHOLE[:3], half]))
    assert read_curve(tmp_path, CELL) == CURVE[:1]


def test_the_curve_of_a_real_log(trained):
    curve = read_curve(trained, CELL)
    assert [(point.epoch, point.step) for point in curve] == [(1, 2)]
    assert 0 <= curve[0].val_error <= 1
    assert curve[0].train_loss > 0
