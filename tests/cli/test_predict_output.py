"""videogn predict --output: rows that last, what is refused, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import threading
from pathlib import Path

import pytest

from videogn.axes import VideoRecord
from videogn.inference.prediction import Prediction
from videogn.inference.predictor import Predictor


@pytest.fixture
def checkpoint(trained):
    return trained / "checkpoints" / "last.ckpt"


@pytest.fixture
def listed(tmp_path):
    """A list of 30 files, of which two are broken."""
    for number in range(30):
        (tmp_path / f"{number}.mp4").write_text("" if number % 20 == 7 else str(number))
    (tmp_path / "list").write_text("".join(f"{tmp_path}/{number}.mp4\n" for number in range(30)))
    return tmp_path / "list"


@pytest.fixture
def stub(monkeypatch):
    """Predictions without decoding; `stub.before(number)` is called before each, `stub.scored` counts them."""

    class Stub:
        scored = 0

        def before(self, number):
            pass

    found = Stub()

    def predict(self, videos, **options):
        for number, video in enumerate(videos):
            found.before(number)
            assert isinstance(video, VideoRecord)
            found.scored += 1
            text = Path(video.path).read_text()
            yield Prediction(video.name, (("run", int(text) / 100),)) if text else Prediction(video.name, error="empty")

    monkeypatch.setattr(Predictor, "predict", predict)
    return found


@pytest.fixture
def run(videogn, checkpoint, listed, tmp_path):
    """Run the command on the list, with `scores.jsonl` as its output."""

    def command(*more, output=tmp_path / "scores.jsonl"):
        return videogn("predict", "--list", listed, "--checkpoint", checkpoint, "--output", output, *more)

    return command


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_same_command_scores_only_what_is_missing(run, stub, capsys, tmp_path, listed):
    assert run() == 1
    before = rows(tmp_path / "scores.jsonl")
    assert [row["path"] for row in before] == listed.read_text().split()
    assert before[1]["predictions"] == [{"label": "run", "score": 0.01}]
    assert before[7] == {"path": str(tmp_path / "7.mp4"), "error": "empty"}
    assert capsys.readouterr().err.splitlines()[-1] == "30 expected, 28 evaluated, 2 failed"
    assert run() == 1
    assert (stub.scored, rows(tmp_path / "scores.jsonl")) == (30, before)
    ending = "30 expected, 28 evaluated, 2 failed; 30 of them were scored before"
    assert capsys.readouterr().err.splitlines()[-1] == ending
    for number in (7, 27):
        (tmp_path / f"{number}.mp4").write_text("9")
    assert run() == 0
    assert stub.scored == 32
    (tmp_path / "scores.jsonl").unlink()  # written again from its parts
    assert run() == 0
    assert stub.scored == 32
    assert len(rows(tmp_path / "scores.jsonl")) == 30
    assert sorted(path.name for path in tmp_path.glob("*scores*")) == ["scores.jsonl", "scores.jsonl.parts"]


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=str
)
def test_signals_keep_what_is_done(run, stub, capsys, tmp_path, number, status):
    before = [signal.getsignal(each) for each in (number, signal.SIGCHLD)]
    stub.before = lambda done: os.kill(os.getpid(), number) if done == 12 else None
    assert run() == status
    assert [signal.getsignal(each) for each in (number, signal.SIGCHLD)] == before
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith(
            f"interrupted: 12 rows are kept in {tmp_path}/scores.jsonl.parts; the same command goes on from there"
        )
    )
    assert not (tmp_path / "scores.jsonl").exists()
    stub.before = lambda done: None
    assert run() == 1
    assert stub.scored == 30
    assert len(rows(tmp_path / "scores.jsonl")) == 30


def test_a_signal_while_printing(videogn, stub, capsys, checkpoint, listed):
    stub.before = lambda done: os.kill(os.getpid(), signal.SIGTERM) if done == 2 else None
    assert videogn("predict", "--list", listed, "--checkpoint", checkpoint, "--format=jsonl") == 143
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 2
    assert printed.err.splitlines()[-1] == "videogn: error: interrupted: the same command begins anew"


def test_another_checkpoint_or_protocol_is_refused(run, stub, capsys, tmp_path):
    assert run("--top-k=3") == 1
    before = (tmp_path / "scores.jsonl").read_bytes()
    assert run("--clips=3") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert "was begun with num_clips 10, now 3; top_k 3, now 5: name another --output, or begin anew" in message
    assert (tmp_path / "scores.jsonl").read_bytes() == before
    assert run("--clips=10", "--top-k=3") == 1  # what is the default may be said
    assert run("--clips=3", "--overwrite") == 1
    assert stub.scored == 60


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("scores.xls", "--output must end in .parquet, .jsonl, .csv, .json, .txt, or --format say what to write, got"),
        ("scores", "--output must end in"),
        ("nowhere/scores.csv", "no such file or folder: "),
        (".", "--output must be a file, got the folder"),
        ("0.mp4/scores.csv", "scores.csv lies in a file, not in a folder"),
        ("scores.parquet --format=csv", "--format csv contradicts the suffix .parquet of --output "),
        ("scores.csv --format=parquet", "--format parquet contradicts the suffix .csv of --output "),
        ("old.csv", "old.csv exists, and without old.csv.parts beside it nothing says what it is"),
    ],
)
def test_outputs_that_are_refused_before_any_work(run, stub, capsys, tmp_path, output, message):
    (tmp_path / "old.csv").write_text("mine")
    name, *more = output.split()
    assert run(*more, output=tmp_path / name) == 2
    assert message in capsys.readouterr().err
    assert stub.scored == 0
    assert (tmp_path / "old.csv").read_text() == "mine"


def test_a_file_of_ours_or_of_others_is_replaced_when_asked(run, stub, tmp_path):
    (tmp_path / "old.csv").write_text("mine")
    assert run("--overwrite", output=tmp_path / "old.csv") == 1
    assert (tmp_path / "old.csv").read_text().startswith("path,rank,label,score,error,truncated,clips\n")


def test_rows_of_videos_and_of_their_timelines_are_not_mixed(run, stub, capsys):
    assert run() == 1
    assert run("--timeline=0.5") == 2
    assert "was begun with timeline none, now 0.5" in capsys.readouterr().err


def test_a_link_stays_one(run, stub, tmp_path):
    (tmp_path / "link.jsonl").symlink_to("real.jsonl")
    assert run(output=tmp_path / "link.jsonl") == 1
    assert (tmp_path / "link.jsonl").is_symlink()
    assert len(rows(tmp_path / "real.jsonl")) == 30


def test_pipes_and_devices_get_the_rows_and_stay(run, stub, capsys, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    found = []
    reader = threading.Thread(target=lambda: found.append(pipe.read_text()))
    reader.start()
    assert run(output=pipe) == 1
    reader.join()
    assert len([json.loads(line) for line in found[0].splitlines()]) == 30
    assert pipe.is_fifo()
    assert run("--format=csv", output="/dev/null") == 1
    capsys.readouterr()
    assert run(output="/dev/full") == 2
    assert "/dev/full cannot be written (No space left on device)" in capsys.readouterr().err


def test_a_reader_that_has_enough_ends_the_command_quietly(run, stub, capsys, tmp_path):
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)

    def read():
        with pipe.open() as file:
            file.readline()

    reader = threading.Thread(target=read)
    reader.start()
    stub.before = lambda done: reader.join() if done == 2 else None
    assert run(output=pipe) == 141
    assert "error" not in capsys.readouterr().err
    assert stub.scored < 5


def test_failures_are_named_and_then_counted(run, stub, capsys, tmp_path):
    for number in range(25):
        (tmp_path / f"{number}.mp4").write_text("")
    assert run() == 1
    lines = capsys.readouterr().err.splitlines()
    assert sum(line.endswith(": empty") for line in lines) == 20
    assert lines[-2:] == ["6 more failed; their rows say why", "30 expected, 4 evaluated, 26 failed"]


def test_a_name_cannot_forge_a_line(videogn, stub, capsys, checkpoint, tmp_path):
    name = tmp_path / "x\033[2J\nvideogn: all done.mp4"
    name.write_text("")
    for form in ("table", "jsonl"):
        assert videogn("predict", name, "--checkpoint", checkpoint, "--format", form) == 1
        printed = capsys.readouterr()
        assert "\033" not in printed.out + printed.err
        assert "\nvideogn: all done" not in printed.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "no video is named: give files or folders, or a list of them with --list FILE"),
        (["a.mp4", "--null"], "--null says how the paths of a --list are separated"),
        (["a.mp4", "--overwrite"], "--overwrite is about the rows of an --output"),
        (["a.mp4", "--retry-failed"], "--retry-failed is about the rows of an --output"),
        (["a.mp4", "--format=parquet"], "--format parquet is not printed: name a file with --output"),
        (["--list", "empty"], "empty names no video"),
        (["--list", "none"], "no such file or folder: none"),
        (["a.mp4", "--shard=5/4"], "--shard must be a part"),
    ],
)
def test_wrong_commands(videogn, capsys, monkeypatch, checkpoint, tmp_path, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").touch()
    (tmp_path / "empty").touch()
    assert videogn("predict", *options, "--checkpoint", checkpoint) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
