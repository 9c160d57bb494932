"""Tests at other clip lengths: an axis that makes no cells, tests that are done once each, old studies as they were."""

from __future__ import annotations

import json

import pytest

from videogn.study import CellResult, cell_files, read_study, run_cell
from videogn.study.grid import make_grid
from videogn.study.making import make_study
from videogn.study.planning import Videos, plan_cells
from videogn.study.schedule import run_cells
from videogn.study.study_files import STUDY_FILE, cell_folder
from videogn.study.transfers import is_finished, missing_clips, read_transfers

CONTENT = {
    "fit": {
        "trainer": {"accelerator": "cpu"},
        "model": {"arch": "i3d_tiny", "arch_options": {"width": 8}, "crop_size": 32, "short_side": 32},
        "data": {"num_clips": 2},
    },
    "motion": {"videos_per_class": 1, "val_videos_per_class": 1, "frames": 8, "size": 32},
    "axes": {"norm": {"name": "gn", "groups": 4}, "clip": ["4x2", "8x1"], "batch_size": 2},
    "budget": {"epochs": 1},
}
BACK_AND_FORTH = {**CONTENT, "axes": {**CONTENT["axes"], "test_clip": ["4x2", "8x1"]}}


@pytest.fixture(scope="module")
def old(tmp_path_factory):
    """A study without the axis, made once; its data are there."""
    out = tmp_path_factory.mktemp("transfers") / "study"
    make_study(make_grid(CONTENT), out, command="videogn study run old")
    return out


@pytest.fixture
def made(old, tmp_path):
    """A copy of that study in a folder of the test."""
    import shutil

    return shutil.copytree(old, tmp_path / "study")


def _grow(out):
    grid = make_grid(BACK_AND_FORTH)
    make_study(grid, out, command="videogn study run new")
    return grid


def test_the_axis_makes_no_cells_and_changes_none():
    old, new = make_grid(CONTENT), make_grid(BACK_AND_FORTH)
    assert old.cells == new.cells
    assert [clip.name for clip in new.test_clips] == ["4x2", "8x1"]
    assert old.test_clips == ()


def test_a_clip_that_is_none_is_refused():
    with pytest.raises(ValueError, match="a clip is LENGTHxINTERVAL"):
        make_grid({**CONTENT, "axes": {**CONTENT["axes"], "test_clip": "long"}})


def test_each_cell_is_tested_at_the_others_clips(made, stand_in):
    grid = _grow(made)
    short = cell_folder(made, grid.cells[0])
    assert [clip.name for clip in missing_clips(short)] == ["8x1"]
    assert run_cell(short).phase == "finished"
    assert [call["command"] for call in stand_in.calls] == ["fit", "test", "test"]
    ((clip, transfer),) = read_transfers(short).items()
    assert (clip, transfer.test) == ((8, 1), {"over_all": {"top1": 0.75}})
    assert transfer.command[-3:] == ("--model.clip_length=8", "--model.interval=1",
                                     f"--model.results_dir={short / 'tests' / '8x1'}")  # fmt: skip
    assert (short / "tests" / "8x1" / "results.json").is_file()
    assert CellResult.read(short).test == {"over_all": {"top1": 0.75}}  # its own results are its own
    assert run_cell(short).phase == "finished"
    assert len(stand_in.calls) == 3


def test_a_finished_study_grows_by_tests_alone(made, stand_in):
    """An old study's cells stay finished, with their names and results; new tests are what is missing."""
    cells = make_grid(CONTENT).cells
    for cell in cells:
        run_cell(cell_folder(made, cell))
    results = [(cell_folder(made, cell) / "result.json").read_bytes() for cell in cells]
    assert read_study(made).unfinished == {}
    _grow(made)
    study = read_study(made)
    assert set(study.results) == set(study.cells) == set(cells)
    assert study.unfinished[cells[0]] == ("waiting", "its test on clips of 8x1 is missing")
    before = len(stand_in.calls)
    for cell in cells:
        assert run_cell(cell_folder(made, cell)).phase == "finished"
    assert [call["command"] for call in stand_in.calls[before:]] == ["test", "test"]
    assert [(cell_folder(made, cell) / "result.json").read_bytes() for cell in cells] == results
    assert read_study(made).unfinished == {}
    make_study(make_grid(CONTENT), made, command="videogn study run old")  # a run without the axis forgets no test
    assert read_study(made).test_clips == ((4, 2), (8, 1))
    assert all(is_finished(cell_folder(made, cell)) for cell in cells)


def test_a_test_that_fails_is_tried_again_alone(made, stand_in):
    folder = cell_folder(made, _grow(made).cells[0])
    stand_in.tell({"test": "('tests' in options['model.results_dir']) and sys.exit('videogn: error: too short')"})
    state = run_cell(folder)
    assert (state.phase, state.reason.split(" (")[0]) == ("failed", "videogn: error: too short")
    assert CellResult.read(folder) is not None
    assert not is_finished(folder)
    stand_in.tell({})
    assert run_cell(folder).phase == "finished"
    assert [call["command"] for call in stand_in.calls] == ["fit", "test", "test", "test"]


def test_a_checkpoint_that_is_gone_is_named(made, stand_in):
    cell = make_grid(CONTENT).cells[0]
    folder = cell_folder(made, cell)
    run_cell(folder)
    (folder / "checkpoints" / "last.ckpt").unlink()
    _grow(made)
    state = run_cell(folder)
    assert (state.phase, state.repeats) == ("failed", True)
    assert state.reason == "no checkpoints/last.ckpt, which the test of clips 8x1 needs"


def test_folders_of_an_earlier_version(made):
    """They know nothing of tests at other lengths."""
    for path in [made / STUDY_FILE, *made.glob("cells/*/cell.json")]:
        content = json.loads(path.read_text())
        del content["test_clips"]
        path.write_text(json.dumps(content))
    study = read_study(made)
    assert study.test_clips == ()
    assert all(missing_clips(cell_folder(made, cell)) == [] for cell in study.cells)
    assert {path.name for path in made.glob("cells/*/*")} <= {cell_files.CELL_FILE, cell_files.FIT_FILE}


def test_the_plan_has_the_tests_in_it(monkeypatch):
    monkeypatch.setattr("videogn.study.planning.time_step", lambda setting, clips, **_: setting.clip_length * clips)
    videos = Videos(8, 8, 8, 8)
    plans = [plan_cells(make_grid(one), videos, measure=True) for one in (CONTENT, BACK_AND_FORTH)]
    for cell in plans[0]:
        old, new = plans[0][cell], plans[1][cell]
        other = 12 - cell.clip_length
        assert new.seconds - old.seconds == pytest.approx(8 * 2 * other / 3)  # videos, clips, a third of a step
        assert old.test_bytes is None
        assert new.row == old.row
        assert new.test_bytes > 0


def test_the_schedule_runs_what_is_missing(made, stand_in, monkeypatch):
    from videogn.study.engines import LocalEngine

    grid = _grow(made)
    engine = LocalEngine(1, devices_per_cell=1, gpus=[], threads=1)
    assert {state.phase for state in run_cells(grid.cells, made, engine).values()} == {"finished"}
    assert all(read_transfers(cell_folder(made, cell)) for cell in grid.cells)
