"""Numbers of results that are none: each reader of them ends in one line that names file, place and value."""

from __future__ import annotations

import copy
import json

import pytest
from studies import make_cells, write_study
from tested_folders import write_rows

from videogn.cli.main import main
from videogn.evaluation.result_folder import read_files
from videogn.stated_shapes import AMOUNT, COUNT, SHARE, check_present, check_shape
from videogn.study.cell import Section
from videogn.study.cell_files import RESULT_FILE
from videogn.study.study_files import cell_folder

FORGED = ("half", float("nan"), float("inf"), -1, 10**400, True, [0.5], {"a": 1})


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (SHARE, [0, 1, 0.5, None], [*FORGED, 1.01, 2]),
        (COUNT, [0, 7, 10**18], [*FORGED, None, 0.5, 10**18 + 1]),
        (AMOUNT, [0, 0.5, 10**18, None], FORGED),
    ],
)
def test_kinds(kind, right, wrong):
    for value in right:
        check_shape({"of": [{"it": value}]}, {"of": [{"it": kind}]})
    for value in wrong:
        with pytest.raises(ValueError, match=r"^of\.0\.it must be a ") as error:
            check_shape({"of": [{"it": value}]}, {"of": [{"it": kind}]})
        assert len(str(error.value)) < 200


def test_what_is_missing():
    check_present({"a": {"b": None}}, ["a.b", "a"])
    for content in ({}, {"a": None}, {"a": {}}):
        with pytest.raises(ValueError, match=r"^a\.b is missing$"):
            check_present(content, ["a.b"])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A finished cell of each of two norms, and a text of the result of the first."""
    folder = tmp_path_factory.mktemp("studies") / "one"
    cells = make_cells(clips=[(8, 2)], batches=[8], seeds=[0])
    write_study(folder, sections=[Section("24 epochs", "", cells)])
    return folder, cell_folder(folder, cells[0]) / RESULT_FILE


def _places(value, path=()):
    """Places of the numbers of a result that a report is made of."""
    for key, each in value.items() if isinstance(value, dict) else enumerate(value[:1]):
        if isinstance(each, dict | list):
            yield from _places(each, (*path, key))
        elif isinstance(each, int | float):
            yield (*path, key)


def _changed(content, path, value):
    content = copy.deepcopy(content)
    part = content
    for key in path[:-1]:
        part = part[key]
    if value == "missing":
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return json.dumps(content)


def _ends(capsys, *words):
    with pytest.raises(SystemExit) as end:
        main(words)
    lines = capsys.readouterr().err.splitlines()
    return end.value.code, lines


def test_readers_of_a_study(study, capsys):
    """Every number of result.json, as each of the forged values in turn; each of the commands in turn."""
    folder, file = study
    text = file.read_text()
    content = {name: part for name, part in json.loads(text).items() if name != "cell"}
    places = list(_places({name: content[name] for name in ("curve", "test", "cost", "planned", "attempts")}))
    assert len(places) > 20
    commands = ("table", folder), ("report", folder), ("status", folder)
    try:
        for number, path in enumerate(places):
            value, (command, where) = FORGED[number % len(FORGED)], commands[number % len(commands)]
            file.write_text(_changed(json.loads(text), path, value))
            status, lines = _ends(capsys, "study", command, str(where))
            assert (status, len(lines)) == (2, 1), (path, value, lines)
            assert str(file) in lines[0], lines
            assert f"{'.'.join(map(str, path))} must be " in lines[0], lines
    finally:
        file.write_text(text)


@pytest.mark.parametrize(
    ("command", "name"),
    [("report", "over_all"), ("table", "per_class"), ("status", "over_all"), ("compare", "k_of_top5")],
)
def test_an_entry_that_is_missing(study, capsys, command, name):
    folder, file = study
    text = file.read_text()
    file.write_text(_changed(json.loads(text), ("test", name), "missing"))
    try:
        words = ["compare", folder, folder] if command == "compare" else ["study", command, folder]
        status, lines = _ends(capsys, *map(str, words))
    finally:
        file.write_text(text)
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith(f"videogn: error: {file} is damaged")
    assert f"(test.{name}" in lines[0]
    assert "is missing)" in lines[0]


def test_results_of_a_test(tmp_path):
    file = write_rows(tmp_path, [("red", "red"), ("green", "blue")]) / "results.json"
    text = file.read_text()
    parts = ("over_all", "over_decodable", "per_class", "counts", "calibration", "per_clip_top1", "k_of_top5")
    content = {name: part for name, part in json.loads(text).items() if name in parts}
    for number, path in enumerate(_places(content)):
        value = FORGED[number % len(FORGED)]
        file.write_text(_changed(json.loads(text), path, value))
        with pytest.raises(ValueError, match=r"must be ") as error:
            read_files(tmp_path)
        assert str(tmp_path) in str(error.value)
        assert ".".join(map(str, path)) in str(error.value)
    file.write_text(text)
    read_files(tmp_path)
