"""videogn compare: what is printed, at 80 columns, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tested_folders import write_rows

from videogn.cli.compare import Options, run
from videogn.cli.main import main
from videogn.study.study_files import STUDY_FILE

ROWS = [("red", "red"), ("green", "green"), ("blue", "red"), ("blue", "red")]


@pytest.fixture
def folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_rows(Path("a"), ROWS)
    write_rows(Path("b"), [(label, label) for label, _ in ROWS], protocol={"clips": 10})
    return ("a", "b")


def test_a_short_table(folders, capsys):
    assert run(Options(folders)) == 0
    said = capsys.readouterr().out
    assert said.startswith("A  a\nB  b\n4 videos of 3 classes compared, matched by their paths.\n")
    assert re.search(r"\n +A +B +B − A  95 % over videos\ntop-1 +50\.0 +100\.0 +\+50\.0 +", said)
    assert "Right in A only: 0, in B only: 2; McNemar's exact p = 0.50." in said
    assert "Holm" not in said
    assert "warning: the tests differ in protocol.clips: 2 in A and 10 in B" in said
    assert max(map(len, said.splitlines())) <= 80
    assert not Path("compare.html").exists()


def test_a_page_on_demand(folders, capsys):
    run(Options(folders, out="out"))
    assert capsys.readouterr().out.endswith("Page: out/compare.html\n")
    assert {path.name for path in Path("out").iterdir()} == {"compare.html", "compare.json", "compare.md"}


def test_what_cannot_be_compared(folders, tmp_path):
    with pytest.raises(ValueError, match="two or more results of tests, or two studies, got a alone"):
        run(Options(("a",)))
    Path("study").mkdir()
    Path("study", STUDY_FILE).write_text("{}")
    with pytest.raises(NotADirectoryError, match=r"results\.json must be a folder, and it is a file"):
        run(Options(sources=("a", "b"), out="a/results.json"))
    with pytest.raises(ValueError, match="study is a study and a is not"):
        run(Options(("study", "a")))
    with pytest.raises(ValueError, match="--intersect is about tests"):
        run(Options(("study", "study"), intersect=True))
    with pytest.raises(ValueError, match="two studies at a time; got 3"):
        run(Options(("study", "study", "study")))


def test_errors_are_one_line(folders, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["compare", "a", "bb"])
    assert ended.value.code == 2
    assert capsys.readouterr().err == "videogn: error: no such file or folder: bb; did you mean b?\n"


def test_help(capsys):
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    said = capsys.readouterr().out
    assert said.startswith("usage: videogn compare")
    assert "--intersect" in said
