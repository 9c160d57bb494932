"""videogn predict --timeline: segments in every format, windows as Parquet, and what it refuses."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
import torch

from videogn.cli.segment_table import clock
from videogn.inference import Predictor, label_segments, read_windows
from videogn.training.task import VideoClassifier
from videogn.video.encode import write_video

NAMES = ["jump", "run", "swim"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A video of 12 s, an empty one, and a checkpoint."""
    folder = tmp_path_factory.mktemp("timelines")
    rng = np.random.default_rng(4)
    frames = rng.integers(0, 255, (120, 32, 32, 3)).astype(np.uint8)
    frames[40:80] //= 8
    write_video(folder / "a day.mp4", frames, fps=10)
    (folder / "empty.mp4").touch()
    torch.manual_seed(1)
    task = VideoClassifier("i3d_tiny", class_names=NAMES, clip_length=4, interval=2, crop_size=32, short_side=32)
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, folder / "tiny.ckpt")
    return folder


@pytest.fixture
def predict(videogn, folder, monkeypatch):
    monkeypatch.chdir(folder)

    def run(*options):
        return videogn(
            "predict",
            *options,
            "--checkpoint",
            "tiny.ckpt",
            "--time-limit",
            "0",
            "--device",
            "cpu",
            "--precision",
            "32",
        )

    return run


def test_segments_and_windows_of_several_videos(predict, capsys):
    options = ("a day.mp4", "empty.mp4", "a day.mp4#t=4,8", "--timeline", "0.5", "--min-length", "1")
    assert predict(*options, "--output", "found.csv", "--windows", "windows") == 1
    assert "3 expected, 2 evaluated, 1 failed" in capsys.readouterr().err
    with open("found.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    windows = list(Predictor("tiny.ckpt", device="cpu", time_limit=0).timeline("a day.mp4", stride=0.5))
    wanted = label_segments(windows, NAMES, min_length=1)
    mine = [row for row in rows if row["path"] == "a day.mp4"]
    found = [(float(row["start"]), float(row["end"]), row["label"], float(row["score"])) for row in mine]
    assert [each[:3] for each in found] == [(round(s.start, 3), round(s.end, 3), s.label) for s in wanted]
    assert [each[3] for each in found] == pytest.approx([segment.score for segment in wanted], abs=1e-5)
    assert [row["error"] for row in rows if row["path"] == "empty.mp4"] == ["file is empty"]
    assert min(float(row["start"]) for row in rows if row["path"] == "a day.mp4#t=4,8") == 4.0

    table = ds.dataset("windows").to_table()  # the folder is one data set
    assert set(table["path"].to_pylist()) == {"a day.mp4", "a day.mp4#t=4,8"}
    (file,) = (folder_file for folder_file in ds.dataset("windows").files if "t=4,8" not in folder_file)
    names, again = read_windows(file)
    again = list(again)
    assert names == NAMES
    assert [(window.start, window.end) for window in again] == [(window.start, window.end) for window in windows]
    values = np.array([window.probabilities for window in again])
    np.testing.assert_allclose(values, [window.probabilities for window in windows], atol=1e-6)
    assert values.dtype == np.float32
    pq.write_table(table.select(["path"]).replace_schema_metadata(), "other.parquet")
    with pytest.raises(ValueError, match="predict --windows"):
        read_windows("other.parquet")

    # The same command goes on; another smoothing would mix two kinds of rows.
    assert predict(*options, "--output", "found.csv", "--windows", "windows") == 1
    assert "3 of them were scored before" in capsys.readouterr().err
    assert predict(*options, "--output", "found.csv", "--smooth", "2") == 2
    assert "found.csv was begun with smooth 0.0, now 2.0" in capsys.readouterr().err


@pytest.mark.parametrize("form", ["json", "jsonl", "table"])
def test_formats_that_are_printed(predict, capsys, form):
    assert predict("a day.mp4", "--timeline", "2", "--format", form) == 0
    text = capsys.readouterr().out
    if form == "table":
        assert "a day.mp4" in text
        assert "0:00.0" in text
        return
    row = json.loads(text)[0] if form == "json" else json.loads(text)
    assert row["path"] == "a day.mp4"
    assert row["segments"][0].keys() == {"start", "end", "label", "score"}
    assert row["segments"][-1]["end"] == pytest.approx(10.7)  # the clip that begins at 10 s has 7 frames of 0.1 s


def test_parquet_and_no_segment(predict):
    assert predict("a day.mp4", "empty.mp4", "--timeline", "3", "--min-score", "1", "--output", "none.parquet") == 1
    assert pq.read_table("none.parquet").to_pylist() == [
        dict.fromkeys(["start", "end", "label", "score", "error", "truncated"]) | {"path": "a day.mp4"},
        dict.fromkeys(["start", "end", "label", "score", "truncated"])
        | {"path": "empty.mp4", "error": "file is empty"},
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--timeline", "0"), "--timeline must be > 0, got 0"),
        (("--timeline", "1", "--smooth", "-1"), "--smooth must be >= 0, got -1"),
        (("--timeline", "1", "--min-score", "2"), "--min-score must be between 0 and 1, got 2"),
        (("--timeline", "1", "--clips", "3"), "--clips is about whole videos"),
        (("--timeline", "1", "--protocol", "endpoint"), "--protocol places the clips of whole videos"),
        (("--timeline", "1", "--workers", "2"), "with --timeline one is decoded after the other"),
        (("--timeline", "1", "--format", "fiftyone"), "--format fiftyone is about whole videos"),
        (("--smooth", "2"), "--smooth is about a --timeline"),
        (("--windows", "w"), "--windows is about a --timeline"),
    ],
)
def test_options_that_do_not_fit(predict, capsys, options, message):
    assert predict("a day.mp4", *options) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_times_as_on_a_clock():
    assert [clock(seconds) for seconds in (0, 7.54, 59.96, 3661, 7200)] == [
        "0:00.0",
        "0:07.5",
        "1:00.0",
        "1:01:01.0",
        "2:00:00.0",
    ]
