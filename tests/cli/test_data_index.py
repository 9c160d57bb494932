"""videogn data index, check and resize as commands, over real files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from videogn.cli.data import ACTIONS
from videogn.indexing.catalogue import Catalogue, read_catalogue, write_catalogue
from videogn.video.decoders.decode import decode_frames
from videogn.video.encode import write_video


def _video(path: Path, frames: int = 20, height: int = 48, width: int = 64) -> Path:
    rng = np.random.default_rng(frames)
    pictures = rng.integers(0, 256, (frames, height // 4, width // 4, 3), dtype=np.uint8)
    write_video(path, pictures.repeat(4, 1).repeat(4, 2), options={"preset": "ultrafast"})
    return path


@pytest.fixture(scope="module")
def damaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven videos of two classes: two good, a short one, an empty one, a text, one cut, one without its index."""
    folder = tmp_path_factory.mktemp("damaged") / "set"
    _video(folder / "a b" / "good.mp4")
    _video(folder / "c" / "also good.mp4", 9)
    _video(folder / "c" / "short.mp4", 5)
    (folder / "c" / "empty.mp4").touch()
    (folder / "c" / "text.mp4").write_text("no video\n" * 99)
    data = _video(folder / "c" / "cut.mkv").read_bytes()
    (folder / "c" / "cut.mkv").write_bytes(data[: len(data) * 7 // 10])
    (folder / "c" / "headless.mp4").write_bytes((folder / "a b" / "good.mp4").read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def index(damaged: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The index of `damaged`. Do not write to it."""
    out = tmp_path_factory.mktemp("index") / "index.parquet"
    command = [sys.executable, "-m", "videogn", "data", "index", str(damaged), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for line in ("ok │ 2", "too short │ 1", "truncated │ 1", "corrupt │ 2", "empty │ 1", "missing │ 0", "listed │ 7"):
        assert line in " ".join(done.stdout.split()), done.stdout
    return out


def test_help_lists_every_action(videogn, capsys):
    assert videogn("data", "--help") == 0
    printed = capsys.readouterr().out
    assert all(name in printed and summary in printed for name, (_, summary) in ACTIONS.items())


@pytest.mark.parametrize("action", ["index", "check", "resize", "show", "synth"])
def test_help_of_an_action(videogn, capsys, action):
    assert videogn("data", action, "--help") == 0
    assert capsys.readouterr().out.startswith(f"usage: videogn data {action} ")


def test_index_of_real_files(damaged, index):
    rows = {Path(row["path"]).name: row for row in read_catalogue(index).table.to_pylist()}
    assert {name: row["status"] for name, row in rows.items()} == {
        "good.mp4": "ok",
        "also good.mp4": "ok",
        "short.mp4": "short",
        "empty.mp4": "empty",
        "text.mp4": "corrupt",
        "cut.mkv": "truncated",
        "headless.mp4": "corrupt",
    }
    good = rows["good.mp4"]
    assert (good["frames"], good["width"], good["height"], good["fps"]) == (20, 64, 48, 30.0)
    assert (good["codec"], good["rotation"], good["label"]) == ("h264", 0, "a b")
    assert good["bytes"] == (damaged / "a b" / "good.mp4").stat().st_size
    assert 0 < rows["cut.mkv"]["frames"] < 20
    # What the index calls decodable is.
    cut = decode_frames(damaged / "c" / "cut.mkv", range(rows["cut.mkv"]["frames"]))
    assert np.array_equal(cut, decode_frames(damaged / "a b" / "good.mp4", range(len(cut))))


def test_show_prints_classes(videogn, capsys, index):
    assert videogn("data", "show", str(index)) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "│ a b │ 1 │ 1 │" in printed
    assert "│ c │ 6 │ 1 │ 1 │ 1 │ 2 │ 1 │" in printed


def _cells(printed: str) -> list[list[str]]:
    """The rows of the printed tables, without their frames."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if "│" in line]


def test_what_is_not_usable_is_named_with_its_reason(videogn, capsys, monkeypatch, damaged, tmp_path):
    """The same by the command that finds it and the one that shows the index."""
    monkeypatch.setenv("COLUMNS", "400")
    out = tmp_path / "i.parquet"
    assert videogn("data", "index", str(damaged), "--out", str(out)) == 0
    written = capsys.readouterr().out
    assert videogn("data", "show", str(out)) == 0
    shown = capsys.readouterr().out
    rows = [row for row in read_catalogue(out).table.to_pylist() if row["status"] not in ("ok", "short")]
    assert sorted(Path(row["path"]).name for row in rows) == ["cut.mkv", "empty.mp4", "headless.mp4", "text.mp4"]
    for printed in (written, shown):
        found = [row for row in _cells(printed) if row[0].startswith("/")]
        assert found == [[row["path"], row["status"], row["reason"]] for row in rows]
        assert all(reason for _, _, reason in found)
        assert " more" not in printed


def test_a_long_list_of_what_is_not_usable_ends_after_ten(videogn, capsys, monkeypatch, tmp_path):
    """Names that are markup, or no UTF-8, or longer than the table's column."""
    folder = tmp_path / "set" / "[red]class[/red]"
    folder.mkdir(parents=True)
    names = [os.fsdecode(b"0\xff.mp4"), "x" * 200 + ".mp4", "[bold].mp4", *(f"y{number}.mp4" for number in range(10))]
    for name in names:
        (folder / name).touch()
    out = tmp_path / "i.parquet"
    monkeypatch.setenv("COLUMNS", "100")
    for arguments in (["index", str(tmp_path / "set"), "--out", str(out)], ["show", str(out)]):
        assert videogn("data", *arguments) == 0
        printed = capsys.readouterr().out
        assert "and 3 more; the index lists all" in printed
        assert max(map(len, printed.splitlines()[:30])) <= 100
        paths = "".join(row[0] for row in _cells(printed) if len(row) == 3)  # folded ones are whole again
        shown = [name for name in names if f"[red]class[/red]/{name}" in paths.replace("\\xff", "\udcff")]
        assert len(shown) == 10
        assert set(names[:3]) <= set(shown)


def test_quick_reads_packets_only(videogn, capsys, damaged, tmp_path):
    out = tmp_path / "i.parquet"
    assert videogn("data", "index", str(damaged), "--out", str(out), "--quick") == 0
    assert "(--quick)" in capsys.readouterr().out
    catalogue = read_catalogue(out)
    assert not catalogue.facts.decode
    assert catalogue.facts.summary["status"]["ok"] == 2


def test_check(videogn, capsys, damaged, index, tmp_path):
    assert videogn("data", "check", str(index)) == 0
    assert "7 videos, all as the index says" in capsys.readouterr().out
    copy = tmp_path / "set"
    shutil.copytree(damaged, copy)
    more = [copy / "c" / f"{number}.mp4" for number in range(25)]
    for path in more:
        path.touch()
    assert videogn("data", "index", str(copy), "--out", str(tmp_path / "i.parquet")) == 0
    for path in more:
        path.unlink()
    (copy / "c" / "new.mp4").touch()
    assert videogn("data", "check", str(tmp_path / "i.parquet")) == 1
    printed = capsys.readouterr().out
    assert "and 6 more" in printed
    assert "differences: 25 gone, 1 unlisted" in printed
    assert "delete the index first" not in printed


def test_an_index_that_found_other_facts_in_the_same_files(videogn, capsys, index, tmp_path):
    """As an earlier version did: a run that trusts the times of change would not update them."""
    catalogue = read_catalogue(index)
    place = catalogue.table.column_names.index("width")
    narrow = pa.array([None if width is None else width // 2 for width in catalogue.table["width"].to_pylist()])
    table = catalogue.table.set_column(place, "width", narrow.cast(pa.int32()))
    write_catalogue(tmp_path / "i.parquet", Catalogue(table, catalogue.facts))
    assert videogn("data", "check", str(tmp_path / "i.parquet")) == 1
    printed = capsys.readouterr().out
    assert "4 width" in printed
    assert "delete the index first" in printed


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["index", "no such", "--out", "i.parquet"], "no such file or folder: no such"),
        (["index", "."], "required: --out"),
        (["index", "set", "--out", "i.csv"], "an index is a file whose name ends in .parquet, got i.csv"),
        (["index", "set", "--out", "set/c/text.mp4/i.parquet"], "text.mp4/i.parquet lies in a file, not in a folder"),
        (["index", "set", "--out", "i.parquet", "--timeout", "0"], "timeout must be between 0 and"),
        (["index", "set", "--out", "i.parquet", "--timeout", "soon"], "soon"),
        (["index", "set", "--out", "i.parquet", "--workers", "0"], "workers must be >= 1, got 0"),
        (["index", "set", "--out", "i.parquet", "--min-frames", "0"], "min_frames must be >= 1, got 0"),
        (["index", "set", "--out", "i.parquet", "--timeuot", "3"], "did you mean '--timeout'?"),
        (["check", "set"], "is not an index"),
        (["check", "no.parquet"], "no such file or folder: no.parquet"),
        (["resize", "i.parquet", "out"], "no such file or folder: i.parquet"),
        (["resize", "i.parquet", "out", "--short-side", "255"], "short_side must be even"),
        (["resize", "i.parquet", "out", "--crf", "99"], "crf must be 0 to 51, got 99"),
        (["indx"], "did you mean 'index'?"),
    ],
)
def test_user_errors(videogn, capsys, monkeypatch, damaged, tmp_path, arguments, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "set").symlink_to(damaged)
    assert videogn("data", *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("videogn: error: ")
    assert expected in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def _start(*arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "videogn", "data", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _lines(journal: Path) -> list[dict]:
    """Whole lines about videos."""
    lines = journal.read_bytes().split(b"\n")[:-1] if journal.exists() else []
    return [line for line in map(json.loads, lines) if "path" in line]


def _grown(process: subprocess.Popen[bytes], journal: Path, count: int) -> None:
    end = time.monotonic() + 60
    while len(_lines(journal)) < count:
        assert process.poll() is None, "it ended before it could be stopped"
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty videos that take some time each."""
    folder = tmp_path_factory.mktemp("many") / "set"
    first = _video(folder / "class" / "000.mp4", 100, 96, 96)
    for number in range(1, 60):
        shutil.copyfile(first, folder / "class" / f"{number:03d}.mp4")
    return folder


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)])
def test_a_killed_indexer_goes_on(videogn, capsys, many, tmp_path, sent, status):
    out = tmp_path / "i.parquet"
    journal = Path(f"{out}.journal")
    process = _start("index", many, "--out", out, "--workers", 2)
    _grown(process, journal, 5)
    process.send_signal(sent)
    started = time.monotonic()
    assert process.wait(20) == status
    assert time.monotonic() - started < 5
    assert not out.exists()
    known = {line["path"]: line for line in _lines(journal)}
    assert 5 <= len(known) < 60
    assert videogn("data", "index", str(many), "--out", str(out)) == 0
    assert f"{60 - len(known)} checked" in capsys.readouterr().out
    rows = read_catalogue(out).table.to_pylist()
    assert [row["status"] for row in rows] == ["ok"] * 60
    assert {row["frames"] for row in rows} == {100}
    assert sorted(os.listdir(tmp_path)) == [".i.parquet.lock", "i.parquet"]


def test_a_killed_resize_goes_on(videogn, capsys, many, tmp_path):
    index, out = tmp_path / "i.parquet", tmp_path / "small"
    assert videogn("data", "index", str(many), "--out", str(index), "--quick") == 0
    process = _start("resize", index, out, "--short-side", 64, "--workers", 2)
    _grown(process, out / "resize.journal", 3)
    process.kill()
    process.wait()
    copied = {line["path"] for line in _lines(out / "resize.journal")}
    before = {path: path.stat().st_mtime_ns for path in (out / "class").glob("[!.]*.mp4")}
    for path in before:  # never half a file under a final name
        assert len(decode_frames(path, [0, 99])) == 2
    capsys.readouterr()
    assert videogn("data", "resize", str(index), str(out), "--short-side", "64") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert f"copied │ {60 - len(copied)} │" in printed
    assert f"kept │ {len(copied)} │" in printed
    assert sorted(path.name for path in (out / "class").iterdir()) == [f"{number:03d}.mp4" for number in range(60)]
    names = {Path(path).name for path in copied}
    assert all(path.stat().st_mtime_ns == changed for path, changed in before.items() if path.name in names)
    assert read_catalogue(out / "index.parquet").facts.summary["status"]["ok"] == 60


@pytest.mark.parametrize(
    ("columns", "parts", "fragment", "lasts"),
    [
        ("start_time,end_time", ["0.1,0.5", "0.7,5", "0.6,5", ","], "t=0.7,5", "lasts 0.67 s"),
        ("start_frame,end_frame", ["2,9", "20,30", "19,30", ","], "frames=20,30", "has 20 frames"),
    ],
)
def test_a_part_that_begins_after_the_end_is_named(
    videogn, capsys, monkeypatch, tmp_path, columns, parts, fragment, lasts
):
    """Rows of one file share its check, and none takes over the word about another; a bad file says enough."""
    monkeypatch.setenv("COLUMNS", "400")
    path = _video(tmp_path / "a.mp4")
    (tmp_path / "b.mp4").touch()
    rows = [f"video,label,{columns}", *(f"a.mp4,x,{part}" for part in parts), "b.mp4,y,20,30"]
    (tmp_path / "list.csv").write_text("\n".join(rows) + "\n")
    out = tmp_path / "i.parquet"
    named = ",".join(f"{name}={name}" for name in columns.split(","))
    first = ["index", tmp_path / "list.csv", "--columns", named, "--out", out]
    for command in (first, ["index", out, "--out", out], ["show", out]):
        assert videogn("data", *command) == 0
        printed = capsys.readouterr().out
        assert printed.count("begins after the end") == 1
        assert [row for row in _cells(printed) if row[0] == str(path)] == [[str(path), fragment, lasts]]
    table = read_catalogue(out).table
    assert table["status"].to_pylist() == ["ok"] * 4 + ["empty"]
    assert table["note"].null_count == 5
