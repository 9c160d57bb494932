"""Names of files and classes that command terminals, pages, tables and spreadsheets: they are names, everywhere."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import unicodedata

import pytest
from tested_folders import scores_of, write_tested

from videogn.cli.main import main
from videogn.evaluation.recorded_results import RecordedTest
from videogn.system.spreadsheet_text import text_of
from videogn.system.standard_streams import OneLineFormatter

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: Each begins differently, and all end in letters that only a forgotten place shows as they are.
NAMES = (
    "x\x1b[2J\x1b]0;pwned\x07\nvideogn: all done",
    "[bold red]a :dog: \u202egpj",
    "=HYPERLINK(1)\rb",
    "<script>document.title='pwned'</script><img src=x onerror=document.title='pwned'>"[:60].replace("/", "\u2215"),
    "\"' onmouseover='document.title=1' $x_1$ | `b` \\n",
    "-rf $(touch pwned);&\u2028#",
)


def _harmless(text: str) -> bool:
    """Whether no letter is obeyed, and no line begins as one of ours that we have not written."""
    bad = {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") and c not in "\n"}
    return not bad and not any(line.startswith("videogn: all done") for line in text.splitlines())


@pytest.fixture(scope="module")
def root(motion, tmp_path_factory):
    """train/ and val/ with classes of such names; of each class a video of the name, and an empty one in train."""
    root = tmp_path_factory.mktemp("hostile")
    videos = sorted(motion.glob("train/*/*.mp4"))
    for number, name in enumerate(NAMES):
        for split in ("train", "val"):
            folder = root / split / name
            folder.mkdir(parents=True)
            shutil.copy(videos[number + 8 * (split == "val")], folder / f"{split} {name}.mp4")
        (root / "train" / name / f"empty {name}.mp4").touch()
        (root / "train" / name / f"left out {name}.xyz").touch()
    return root


def _run(capfd, *arguments):
    with pytest.raises(SystemExit) as done:
        main(list(map(str, arguments)))
    said = capfd.readouterr()
    assert _harmless(said.err)
    return done.value.code, said


def test_predict(root, trained, capfd, tmp_path):
    scored = ("predict", root / "train", "--checkpoint", trained / "checkpoints/last.ckpt", "--clips=1", "--top-k=1")
    status, table = _run(capfd, *scored)
    assert status == 1
    assert _harmless(table.out)
    for shown in (r"x\x1b[2J\x1b]0;pwned\x07\nvideogn: all done.mp4: file is empty", "[bold red]a :dog: \\u202egpj"):
        assert shown in table.err
    paths = {str(path) for path in (root / "train").rglob("*.mp4")}
    _, lines = _run(capfd, *scored, "--format=jsonl")
    assert {json.loads(line)["path"] for line in lines.out.split("\n") if line} == paths
    _, cells = _run(capfd, *scored, "--format=csv")
    rows = list(csv.DictReader(io.StringIO(cells.out, newline="")))
    assert {text_of(row["path"]) for row in rows} == paths  # to the letter
    assert all(0 <= float(row["score"]) <= 1 for row in rows if row["score"])


def test_the_data_commands(root, capfd, tmp_path):
    status, shown = _run(capfd, "data", "show", root)
    assert status == 0
    assert _harmless(shown.out)
    assert "[bold red]a :dog: \\u202egpj" in shown.out
    status, indexed = _run(capfd, "data", "index", root, "--out", tmp_path / "i.parquet", "--workers=0")
    assert _harmless(indexed.out)
    for command in (("show", tmp_path / "i.parquet"), ("check", tmp_path / "i.parquet", "--workers=0")):
        status, shown = _run(capfd, "data", *command)
        assert _harmless(shown.out)
    status, divided = _run(capfd, "data", "split", root / "train", "--output", tmp_path / "split", "--val=0.5")
    assert _harmless(divided.out)


def test_fit(root, videogn, caplog, capsys, tmp_path):
    options = ("--model.clip_length=8", "--model.interval=2", "--data.batch_size=2", "--trainer.max_steps=1")
    off = ("--data.max_failures=1.0", "--data.num_workers=0", f"--trainer.default_root_dir={tmp_path}")
    assert videogn("fit", "--config=motion", f"--data.root={root}", *options, *off) == 0
    assert _harmless(capsys.readouterr().err)
    # Here pytest takes the records; this is what `prepare` has them written by.
    said = "\n".join(map(OneLineFormatter().format, caplog.records))
    assert _harmless(said)
    assert ".xyz of class" in said
    assert r"\nvideogn: all done.mp4: file is empty" in said


@pytest.fixture(scope="module")
def tests(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tests")
    for test, shift in (("a", 0), ("b", 1)):
        videos = [
            (f"/data/{name}/{number}{name}", name, scores_of(NAMES[(place + shift * number) % len(NAMES)], NAMES))
            for place, name in enumerate(NAMES)
            for number in range(3)
        ]
        write_tested(folder / test, [*videos, (f"/data/{NAMES[0]}", NAMES[0], None)], classes=NAMES)
    return folder


def test_the_report_and_the_comparison(tests, capfd):
    status, said = _run(capfd, "report", tests / "a")
    assert status == 0
    assert _harmless(said.out)
    status, said = _run(capfd, "compare", tests / "a", tests / "b", "--out", tests / "out")
    assert status == 0, said.err
    assert _harmless(said.out)
    for page in (tests / "a/report.html", tests / "a/report.md", *(tests / "out").rglob("*.html")):
        assert _harmless(page.read_text().replace("\N{ZERO WIDTH JOINER}", ""))


def test_the_table_of_a_test_is_what_was_tested(tests):
    assert RecordedTest(tests / "a", {}, [], False, False).text_agrees()
    with open(tests / "a/predictions.csv", newline="", encoding="utf-8") as file:
        labels = {row["label"] for row in csv.DictReader(file)}
    assert set(map(text_of, labels)) == set(NAMES)
    assert any(label.startswith("'=HYPERLINK") for label in labels)


@pytest.mark.skipif(BROWSER is None, reason="no Chromium")
def test_no_script_of_a_name_runs(tests, tmp_path):
    with pytest.raises(SystemExit):
        main(["report", str(tests / "b")])
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
    page = (tests / "b/report.html").as_uri()
    command = [BROWSER, *flags, f"--user-data-dir={tmp_path}", "--dump-dom", page]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    assert "<title>Test of" in shown
    assert "&lt;script&gt;document.title=" in shown
    assert "<script>document" not in shown
    assert '<img src="x"' not in shown
