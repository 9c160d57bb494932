"""From a grid to the folder of a study, and back."""

from __future__ import annotations

import json

import pytest
import yaml

from videogn.study import CellResult, read_grid, read_study
from videogn.study.cell_files import read_cell, write_state
from videogn.study.grid import make_grid
from videogn.study.making import make_study
from videogn.study.study_files import cell_folder
from videogn.system.versions import package_versions

CONTENT = {
    "title": "A study",
    "fit": {
        "trainer": {"accelerator": "cpu"},
        "model": {"arch": "i3d_tiny", "arch_options": {"width": 8}, "crop_size": 32},
    },
    "motion": {"videos_per_class": 1, "val_videos_per_class": 1, "size": 16, "frames": 8},
    "axes": {"norm": ["bn", "gn"], "setting": "4x2@2"},
    "budget": [{"epochs": 2, "note": "What for."}, {"epochs": 2, "step_clips": 4}],
}

OTHER_FIT = {"fit": {**CONTENT["fit"], "data": {"num_clips": 3}}}
OTHER_MOTION = {"motion": {**CONTENT["motion"], "seed": 1}}


def _grid(**changes):
    return make_grid({**CONTENT, **changes})


def _make(out, grid=None, **options):
    return make_study(grid or _grid(), out, command="videogn study run x", **options)


def _finish(folder):
    cell, about = read_cell(folder)
    rest = ({"over_all": {"top1": 0.5}}, {"training_seconds": 1.0}, about["planned"], 1, {}, ((), ()), folder)
    CellResult(cell, about["fingerprint"], (), *rest).write()


def _files(folder):
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A study that was made. Do not write to it."""
    return _make(tmp_path_factory.mktemp("made") / "new" / "study", memory=10 * 2**20)


def test_what_is_made(made):
    grid = _grid()
    assert {path.name for path in made.iterdir()} >= {"cells", "motion", "plan.json", "study.json"}
    assert {path.name for path in (made / "cells").iterdir()} == {cell.name for cell in grid.cells}
    assert len(list((made / "motion").rglob("*.mp4"))) == 16
    for cell in grid.cells:
        found, about = read_cell(cell_folder(made, cell))
        assert found == cell
        assert about["data_root"] == str(made / "motion")
        assert about["planned"]["steps"] == 2 * 8 // cell.clips_per_step
        assert about["planned"]["peak_bytes"] > 0
        assert yaml.safe_load((cell_folder(made, cell) / "fit.yaml").read_text()) == cell.fit_config(grid.base)


def test_a_study_is_read_as_it_was_made(made):
    grid, study = _grid(), read_study(made)
    assert study.sections == grid.sections
    assert (study.title, study.grid, study.command) == ("A study", grid.text, "videogn study run x")
    assert study.versions == package_versions()
    assert study.results == {}
    assert study.unfinished == dict.fromkeys(grid.cells, ("waiting", None))
    assert study.memory == 10 * 2**20
    assert {row["norm"] for row in study.plan} == {"BN", "GN"}
    assert all(row["largest_batch"] >= 1 for row in study.plan)
    assert make_grid(yaml.safe_load(study.grid)).cells == grid.cells


def test_results_and_failures_are_read(tmp_path):
    grid = _grid(budget={"epochs": 1})
    _make(tmp_path, grid)
    _finish(cell_folder(tmp_path, grid.cells[0]))
    write_state(cell_folder(tmp_path, grid.cells[1]), phase="failed", reason="out of memory")
    study = read_study(tmp_path)
    assert {cell: result.cell for cell, result in study.results.items()} == {grid.cells[0]: grid.cells[0]}
    assert study.unfinished == {grid.cells[1]: ("failed", "out of memory")}


def test_making_it_again_keeps_what_is_there(tmp_path):
    grid = _grid(budget={"epochs": 1})
    _make(tmp_path, grid)
    last = cell_folder(tmp_path, grid.cells[0]) / "checkpoints" / "last.ckpt"
    last.parent.mkdir()
    last.touch()
    videos = _files(tmp_path / "motion")
    more = _grid(budget=[{"epochs": 1}, {"iterations": 2}], axes={"norm": ["gn", "bn", "ln"], "setting": "4x2@2"})
    _make(tmp_path, more)
    assert last.exists()
    assert _files(tmp_path / "motion") == videos
    assert len(read_study(tmp_path).unfinished) == 6


# A grid that has not all of the study.

WHOLE = {"norm": ["bn", "gn"], "setting": ["4x2@2", "4x2@4"], "seed": [0, 1]}


def _status(out):
    study = read_study(out)
    return {cell.name for cell in study.cells}, [(section.title, len(section.cells)) for section in study.sections]


@pytest.fixture
def eight(tmp_path):
    """A study of eight cells; the first is finished, the second has begun."""
    grid = _grid(budget={"epochs": 1}, axes=WHOLE)
    out = _make(tmp_path / "study", grid)
    _finish(cell_folder(out, grid.cells[0]))
    write_state(cell_folder(out, grid.cells[1]), phase="stopped", attempts=1)
    return out


@pytest.mark.parametrize(
    ("axes", "added", "stay"),
    [
        ({"norm": ["bn"]}, 0, 4),
        ({"norm": ["ln"]}, 4, 8),
        ({"seed": [2]}, 4, 8),
        ({"norm": ["gn", "ln"], "seed": [1]}, 2, 6),
    ],
)
def test_cells_outside_a_grid_stay(eight, caplog, axes, added, stay):
    """A run of some of the cells must not hide the others from status and report."""
    before, _ = _status(eight)
    grid = _grid(budget={"epochs": 1}, axes={**WHOLE, **axes})
    _make(eight, grid)
    names, sections = _status(eight)
    assert names == before | {cell.name for cell in grid.cells}
    assert sections == [("1 epoch, a step after every batch", 8 + added)]
    assert len(read_study(eight).results) == 1
    assert {path.name for path in (eight / "cells").iterdir()} == names
    assert f"cells added to {eight}: {added}; cells outside this grid, which stay: {stay}" in caplog.text
    assert "put aside" not in caplog.text
    rows = read_study(eight).plan
    assert len({(row["norm"], row["clip_length"]) for row in rows}) == len(
        {cell.norm for cell in read_study(eight).cells}
    )


def test_the_whole_grid_again_says_nothing_and_sets_the_order(eight, caplog):
    _make(eight, _grid(budget={"epochs": 1}, axes={**WHOLE, "norm": ["gn", "bn"]}))
    assert caplog.text == ""
    assert read_study(eight).sections[0].cells[0].norm.name == "gn"
    _make(eight, _grid(budget={"epochs": 1}, axes={**WHOLE, "norm": ["bn"]}))
    assert read_study(eight).sections[0].cells[0].norm.name == "gn"


def test_sections_of_other_budgets_stay(eight):
    _make(eight, _grid(budget=[{"iterations": 2, "note": "Few."}], axes={"norm": "gn", "setting": "4x2@2"}))
    _, sections = _status(eight)
    assert sections == [("1 epoch, a step after every batch", 8), ("2 iterations, a step after every batch", 1)]


def test_the_grids_before_are_told(eight):
    first = read_study(eight)
    for axes in ({"norm": ["ln"]}, {"norm": ["ln"]}, {"seed": [3]}):
        make_study(_grid(budget={"epochs": 1}, axes={**WHOLE, **axes}), eight, command=f"videogn {axes}")
    study = read_study(eight)
    assert study.command == "videogn {'seed': [3]}"
    assert [command for command, _ in study.earlier] == ["videogn study run x", "videogn {'norm': ['ln']}"]
    assert study.earlier[0] == (first.command, first.grid)


@pytest.mark.parametrize("other", ["fit", "motion"])
def test_cells_outside_a_grid_have_its_settings_or_it_is_refused(eight, other):
    """The grid leaves the finished cell out, which must not come to stand beside cells with other settings."""
    changes = {"fit": OTHER_FIT, "motion": OTHER_MOTION}[other]
    before = _files(eight)
    with pytest.raises(ValueError, match="was run with other settings: name another folder"):
        _make(eight, _grid(budget={"epochs": 1}, axes={**WHOLE, "norm": ["ln"]}, **changes))
    assert _files(eight) == before


@pytest.mark.parametrize(
    "budget",
    [
        {"epochs": 2, "title": "1 epoch, a step after every batch"},
        {"epochs": 1, "scaling": "sqrt"},
        {"epochs": 1, "step_clips": 8, "title": "1 epoch, a step after every batch"},
    ],
)
def test_unequal_budgets_are_no_section(eight, budget):
    before = _files(eight)
    with pytest.raises(ValueError, match="number of devices under the title '1 epoch, a step after every batch'"):
        _make(eight, _grid(budget=budget, axes={**WHOLE, "seed": [2]}))
    assert _files(eight) == before


def test_a_study_that_moved_goes_on(tmp_path):
    grid = _grid(budget={"epochs": 1})
    _make(tmp_path / "a", grid)
    _finish(cell_folder(tmp_path / "a", grid.cells[0]))
    (tmp_path / "a").rename(tmp_path / "b")
    _make(tmp_path / "b", grid)
    assert len(read_study(tmp_path / "b").results) == 1
    assert read_cell(cell_folder(tmp_path / "b", grid.cells[1]))[1]["data_root"] == str(tmp_path / "b" / "motion")


@pytest.fixture
def half_finished(tmp_path):
    """The first cell has a checkpoint, the second is finished."""
    grid = _grid(budget={"epochs": 1})
    out = _make(tmp_path / "study", grid)
    begun, finished = (cell_folder(out, cell) for cell in grid.cells)
    (begun / "checkpoints").mkdir()
    (begun / "checkpoints" / "last.ckpt").write_text("hours of work")
    _finish(finished)
    return out


@pytest.mark.parametrize("other", [OTHER_FIT, OTHER_MOTION], ids=["fit", "motion"])
def test_other_settings_are_refused_and_that_costs_nothing(half_finished, other):
    """Neither the checkpoint of a cell before the finished one, nor the videos that its result is about."""
    before = _files(half_finished)
    with pytest.raises(ValueError, match="name another folder"):
        _make(half_finished, _grid(budget={"epochs": 1}, **other))
    assert _files(half_finished) == before


def test_other_settings_are_refused(half_finished):
    with pytest.raises(ValueError, match="was run with other settings: name another folder for this study"):
        _make(half_finished, _grid(budget={"epochs": 1}, **OTHER_FIT))


@pytest.mark.parametrize(
    ("motion", "words"),
    [
        ({"videos_per_class": 0}, "videos_per_class must be >= 1, got 0"),
        ({"videos_per_class": 1, "size": 33}, "size must be even"),
        ({"videos_per_class": "ten"}, "videos_per_class must be .*got 'ten'"),
        ({"videos_per_class": 1, "size": "16"}, "size must be .*got '16'"),
        ({"videos_per_class": 1, "size": None}, "size must be .*got None"),
    ],
)
def test_a_wrong_motion_set(tmp_path, motion, words):
    with pytest.raises(ValueError, match=words):
        _make(tmp_path / "out", _grid(motion=motion))
    assert not (tmp_path / "out" / "study.json").exists()


def test_not_a_study(tmp_path):
    with pytest.raises(ValueError, match=rf"{tmp_path} is not the folder of a study: it has no study\.json"):
        read_study(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        read_study(tmp_path / "nowhere")


# The demo.


@pytest.mark.parametrize("name", ["motion_demo", "motion_demo_quick"])
def test_the_demo_is_a_small_table_8(name):
    """Only the clip and the norm's batch differ: every optimiser step is of 8 clips."""
    grid = read_grid(name)
    rows = [(8, 2, 8), (8, 2, 2), (16, 1, 2)]
    assert {(cell.norm.name, cell.setting) for cell in grid.cells} == {(n, row) for n in ("bn", "gn") for row in rows}
    assert {cell.clips_per_step for cell in grid.cells} == {8}
    assert len({cell.budget for cell in grid.cells}) == 1
    assert json.dumps([cell.fit_config(grid.base) for cell in grid.cells])


def test_a_study_does_not_come_to_lie_among_other_things(tmp_path):
    (tmp_path / "train.csv").touch()
    with pytest.raises(ValueError, match=r"is not empty and no study \(train\.csv is there\): name a new folder"):
        _make(tmp_path, _grid())


@pytest.mark.parametrize(
    ("data", "error", "words"),
    [({}, ValueError, "no videos: add --set data.root=FOLDER"), ({"root": "no where"}, FileNotFoundError, "data.root")],
)
def test_a_study_of_videos_that_are_not_there(tmp_path, data, error, words):
    grid = _grid(motion=None, fit={"model": {"arch": "i3d_tiny", "crop_size": 32}, "data": data})
    with pytest.raises(error, match=words):
        _make(tmp_path / "out", grid)
    assert not (tmp_path / "out").exists()
