"""videogn predict --clips auto: certain, calibrated, continued, and what does not fit."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from videogn.evaluation.result_files import clips_table
from videogn.evaluation.results import VideoResult

CLIPS = 4
PROTOCOL = {
    "clips": CLIPS,
    "starts": "nonlocal",
    "crops": "full",
    "short_side": 32,
    "clip_length": 4,
    "interval": 2,
}


@pytest.fixture
def checkpoint(trained):
    return trained / "checkpoints" / "last.ckpt"


@pytest.fixture
def tested(tmp_path, checkpoint):
    """The files of a test of 700 videos whose clips agree, and of one that failed."""
    clips = np.tile(np.float32([0.3, 0.1, 0.2, 0.4]), (CLIPS, 1))
    results = [VideoResult(number, f"{number}.mp4", 0, clips=clips) for number in range(700)]
    folder = tmp_path / "test"
    folder.mkdir()
    table = clips_table([*results, VideoResult(700, "bad.mp4", 0, error="file is empty", decoded=False)])
    pq.write_table(table, folder / "clip_probabilities.parquet")
    (folder / "results.json").write_text(json.dumps({"protocol": PROTOCOL, "checkpoint": str(checkpoint)}))
    return folder


def _changed(folder, **changes):
    path = folder / "results.json"
    about = json.loads(path.read_text())
    about["protocol"] |= changes.pop("protocol", {})
    path.write_text(json.dumps(about | changes))


def test_certain(videogn, capsys, checkpoint, motion):
    """The network is sure of nothing, so that every clip is needed; all that a row says beside is their number."""
    command = ("predict", motion / "val" / "expand", "--checkpoint", checkpoint, "--format", "jsonl")
    assert videogn(*command) == 0
    usual = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert videogn(*command, "--clips", "auto") == 0
    printed = capsys.readouterr()
    rows = [json.loads(line) for line in printed.out.splitlines()]
    assert [row.pop("clips") for row in rows] == [10, 10]
    assert [row["path"] for row in rows] == [row["path"] for row in usual]
    for row, other in zip(rows, usual, strict=True):
        assert [each["label"] for each in row["predictions"]] == [each["label"] for each in other["predictions"]]
        assert row["predictions"][0]["score"] == pytest.approx(other["predictions"][0]["score"], abs=1e-6)
    lines = printed.err.splitlines()
    assert lines[0] == "clips: every video keeps the class of all 10 clips; a --calibration would save more of them"
    assert lines[-2:] == ["10.0 of 10 clips used a video, on average", "2 expected, 2 evaluated, 0 failed"]


def test_calibrated_and_continued(videogn, capsys, checkpoint, motion, tested, tmp_path):
    output = tmp_path / "scores.csv"
    command = ("predict", motion / "val", "--checkpoint", checkpoint, "--clips", "auto", "--output", output)
    assert videogn(*command, "--calibration", tested / "clip_probabilities.parquet", "--top-k", "1") == 0
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == (
        "clips: at least 99.5 % of such videos keep the class of all 4 clips (confidence 95 %); "
        "of 700 tested ones 0 do not, and 1.0 clips a video are used"
    )
    assert lines[-2:] == ["1.0 of 4 clips used a video, on average", "16 expected, 16 evaluated, 0 failed"]
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    assert [row["clips"] for row in rows] == ["1"] * 16

    assert videogn(*command, "--calibration", tested, "--top-k", "1", "--agreement", "0.99") == 0  # the same rule
    assert capsys.readouterr().err.endswith("16 evaluated, 0 failed; 16 of them were scored before\n")
    others = (("--clips", "4", "--top-k", "1"), "stopping strictness 0, now never")
    assert videogn(*command, *others[0]) == 2
    assert others[1] in capsys.readouterr().err


def test_parquet_holds_the_number_of_clips(videogn, checkpoint, motion, tested, tmp_path):
    output = tmp_path / "scores.parquet"
    command = ("predict", motion / "val" / "expand", "--checkpoint", checkpoint, "--output", output)
    assert videogn(*command, "--clips", "auto", "--calibration", tested) == 0
    assert pq.read_table(output)["clips"].to_pylist() == [1, 1]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"protocol": {"crops": "center"}}, (), "had the crops center, not full"),
        ({"protocol": {"fps": 12.5}}, (), "had the fps 12.5, not None"),
        ({}, ("--protocol", "endpoint"), "had the protocol nonlocal, not endpoint"),
        ({}, ("--agreement", "0.999"), "at least 2,995 videos to show, got 700: test more videos, or ask for an agre"),
        ({}, ("--agreement", "99.5"), "agreement must be > 0 and < 1, got 99.5"),
        ({"protocol": {"clips": 5}}, (), "a video has 4 clips, and the test had 5"),
        ({"protocol": None}, (), "results.json is not a results.json of `videogn test`"),
        ({"checkpoint": __file__}, (), "is of a test of"),
    ],
)
def test_what_does_not_fit(videogn, capsys, checkpoint, motion, tested, change, options, message):
    if change.get("protocol", {}) is None:
        (tested / "results.json").write_text("[]")
    else:
        _changed(tested, **change)
    command = ("predict", motion / "val" / "expand", "--checkpoint", checkpoint, "--clips", "auto")
    assert videogn(*command, "--calibration", tested, *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--clips", "4", "--calibration", "."), "--calibration is about --clips auto"),
        (("--clips", "auto", "--agreement", "0.9"), "--agreement is about a --calibration of --clips auto"),
        (("--clips", "all"), "--clips must be a whole number or auto, got 'all'"),
        (("--clips", "auto", "--timeline", "1"), "--clips is about whole videos"),
        (("--clips", "auto", "--calibration", "."), "clip_probabilities.parquet is missing"),
    ],
)
def test_what_has_no_meaning(videogn, capsys, checkpoint, motion, monkeypatch, tmp_path, options, message):
    monkeypatch.chdir(tmp_path)
    assert videogn("predict", motion / "val" / "expand", "--checkpoint", checkpoint, *options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"text", b"PAR1"])
def test_a_file_of_something_else(videogn, capsys, checkpoint, motion, tested, content):
    (tested / "clip_probabilities.parquet").write_bytes(content)
    command = ("predict", motion / "val" / "expand", "--checkpoint", checkpoint, "--clips", "auto")
    assert videogn(*command, "--calibration", tested) == 2
    assert "holds no clip probabilities of `videogn test`" in capsys.readouterr().err
