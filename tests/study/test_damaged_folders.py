"""Studies whose files are damaged, or forged: reading one ends in a study or in one line that names the file."""

from __future__ import annotations

import copy
import dataclasses
import json
import re

import pytest

from videogn.report.frontier import plot_frontier
from videogn.study import Budget, Cell, CellResult, CurvePoint, Norm, read_study
from videogn.study.cell import Section
from videogn.study.cell_files import CELL_FILE, RESULT_FILE, STATE_FILE, part_done, prepare, write_state
from videogn.study.study_files import CELLS_FOLDER, PLAN_FILE, STUDY_FILE, cell_folder, write_study
from videogn.study.transfers import ClipOfTest, Transfer, read_transfers

CELL = Cell(Norm("gn", (("groups", 8),)), 8, 2, 4, 2, Budget("epochs", 2), seed=1)
_VALUES = (None, -1, 10**30, "x", [], [[]], {}, {"a": 1})


@pytest.fixture
def out(tmp_path):
    folder = cell_folder(tmp_path, CELL)
    planned, clips = {"steps": 4}, [(16, 1)]
    prepare(folder, CELL, CELL.fit_config({}), own_data=None, data_root=None, planned=planned, test_clips=clips)
    write_state(folder, phase="testing", attempts=1)
    curve = (CurvePoint(1, 2, 64, 0.75, 2.0), CurvePoint(2, 4, 128, 0.5))
    about = ({"over_all": {"top1": 0.5}}, {"training_seconds": 1.5, "steps": 4}, planned, 2, {"cores": 2})
    CellResult(CELL, "ab", curve, *about, (("fit",), ("test", "x")), folder).write()
    Transfer(ClipOfTest(16, 1), {"over_all": {"top1": 0.5}}, 1.0, ("test",)).write(folder)
    sections = (Section("2 epochs", "", (CELL,)),)
    write_study(tmp_path, title="T", sections=sections, grid="g", command="c", versions={"a": "1"}, test_clips=clips)
    return tmp_path


def _places(value, path=()):
    yield path
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from _places(each, (*path, key))


def _damaged(content):
    """The content with one part missing, or with something else in its place."""
    for *before, last in filter(None, _places(content)):
        for value in ("missing", *_VALUES):
            damaged = copy.deepcopy(content)
            part = damaged
            for key in before:
                part = part[key]
            if value == "missing":
                del part[last]
            else:
                part[last] = value
            yield json.dumps(damaged)
    yield from map(json.dumps, _VALUES)
    yield '{"title": '


OUTSIDE = "/../../../../outside"


@pytest.mark.parametrize("name", [*(field.name for field in dataclasses.fields(Cell)), "test_clips"])
def test_no_folder_of_a_cell_or_test_leads_out_of_the_study(out, name):
    """The folders are named by the values of a cell."""
    content = json.loads((out / STUDY_FILE).read_text())
    cell = content["sections"][0]["cells"][0]
    if name == "test_clips":
        content[name] = [[OUTSIDE, 1]]
    else:
        cell[name] = {**cell[name], "name": OUTSIDE, "variant": OUTSIDE} if name == "norm" else OUTSIDE
    (out / STUDY_FILE).write_text(json.dumps(content))
    if name in ("norm", "init"):  # of which a folder's name takes letters and digits
        study = read_study(out)
        assert {cell_folder(out, cell).resolve().parent for cell in study.cells} == {out / CELLS_FOLDER}
    else:
        with pytest.raises(ValueError, match=re.escape(str(out / STUDY_FILE))):
            read_study(out)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fit.yaml", "["),
        ("fit.yaml", "[" * 100_000),
        ("fit.yaml", "- 1"),
        ("metrics.csv", "epoch,step,val/top1\nx,1,0.5\n"),
        ("metrics.csv", 'epoch,step,val/top1\n1,1,"' + "x" * 200_000 + '"\n'),
    ],
)
def test_other_files_of_a_cell(out, name, text):
    folder = cell_folder(out, CELL)
    (folder / name).write_text(text)
    result = json.loads((folder / RESULT_FILE).read_text())
    (folder / RESULT_FILE).write_text(json.dumps({**result, "cost": {"steps": 1}, "curve": []}))
    with pytest.raises(ValueError, match=r"^[^\n]*$") as error:
        read_study(out), part_done(folder)
    assert str(folder / name) in str(error.value)


def test_a_forged_plan(out):
    row = {"model": "m", "crop": 1, "precision": "32", "memory_mode": "plain", "norm": "gn", "clip_length": 8}
    right = {"memory": 1, "rows": [{**row, "largest_batch": 2}, {"model": "m"}]}
    (out / PLAN_FILE).write_text(json.dumps(right))
    assert (read_study(out).memory, list(read_study(out).plan)) == (1, right["rows"])
    refused = []
    for text in _damaged(right):
        (out / PLAN_FILE).write_text(text)
        try:
            study = read_study(out)
        except ValueError as error:
            refused.append(str(error))
            continue
        rows = [row for row in study.plan if row.get("largest_batch") is not None]
        if rows and study.memory is not None:  # what is not refused can be drawn
            assert plot_frontier(rows, study.memory, out / "a.png").stat().st_size > 0
    assert len(refused) > len(row)  # every value that the figure needs
    assert all(str(out / PLAN_FILE) in line and len(line.splitlines()) == 1 for line in refused)


@pytest.mark.parametrize("name", [STUDY_FILE, CELL_FILE, STATE_FILE, RESULT_FILE, "transfer.json"])
def test_a_damaged_file(out, name):
    (file,) = out.rglob(name)
    if name == STATE_FILE:  # which is asked about cells without a result
        next(out.rglob(RESULT_FILE)).unlink()
    refused = []
    for text in _damaged(json.loads(file.read_text())):
        file.write_text(text)
        try:
            study = read_study(out)
            read_transfers(cell_folder(out, CELL))
            assert len(study.results) + len(study.unfinished) >= len(study.cells)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 2
    assert all(str(out) in line and len(line.splitlines()) == 1 for line in refused)
