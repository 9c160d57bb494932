"""videogn predict: formats, bad files, exit status."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from videogn.data.stored_paths import opened_path


@pytest.fixture
def checkpoint(trained):
    return trained / "checkpoints" / "last.ckpt"


@pytest.fixture
def folder(motion, tmp_path):
    """Two good files, one of them with spaces in its name and deeper down, and an empty one."""
    videos = sorted(motion.glob("val/*/*.mp4"))[:2]
    (tmp_path / "videos" / "deep er").mkdir(parents=True)
    shutil.copy(videos[0], tmp_path / "videos" / "a.mp4")
    shutil.copy(videos[1], tmp_path / "videos" / "deep er" / "b c.mp4")
    (tmp_path / "videos" / "broken.mp4").touch()
    return tmp_path / "videos"


def test_json_is_one_array_and_bad_files_do_not_stop_it(videogn, capsys, checkpoint, folder):
    assert videogn("predict", folder, "--checkpoint", checkpoint, "--format=json", "--clips=2", "--top-k=3") == 1
    printed = capsys.readouterr()
    rows = json.loads(printed.out)
    assert [row["path"] for row in rows] == [
        str(folder / "a.mp4"),
        str(folder / "broken.mp4"),
        str(folder / "deep er" / "b c.mp4"),
    ]
    assert rows[1] == {"path": str(folder / "broken.mp4"), "error": "file is empty"}
    for row in (rows[0], rows[2]):
        scores = [prediction["score"] for prediction in row["predictions"]]
        assert len(scores) == 3
        assert scores == sorted(scores, reverse=True)
        assert 0 < sum(scores) <= 1
        assert all(isinstance(prediction["label"], str) for prediction in row["predictions"])
    assert f"{folder / 'broken.mp4'}: file is empty" in printed.err
    assert printed.err.splitlines()[-1] == "3 expected, 2 evaluated, 1 failed"


def test_only_good_files_exit_0(videogn, capsys, checkpoint, folder):
    assert videogn("predict", folder / "a.mp4", "--checkpoint", checkpoint, "--clips=1") == 0
    printed = capsys.readouterr()
    assert "a.mp4" in printed.out.replace("\n", "")
    assert printed.out.count("%") == 5
    assert printed.err.splitlines()[-1] == "1 expected, 1 evaluated, 0 failed"


def test_what_another_decoder_does_not_read_is_said_once(videogn, capsys, checkpoint, folder):
    """decord opens no GIF."""
    pytest.importorskip("decord")
    frames = [Image.fromarray(np.full((32, 32, 3), 9 * number, np.uint8)) for number in range(16)]
    frames[0].save(folder / "c.gif", save_all=True, append_images=frames[1:])
    options = ("--checkpoint", checkpoint, "--clips=1", "--decoder", "decord")
    assert videogn("predict", folder / "a.mp4", folder / "c.gif", *options) == 0
    lines = capsys.readouterr().err.splitlines()
    said = f"PyAV decodes 1 of 2 videos, on which decord is not exact, for instance {folder / 'c.gif'}: container gif"
    assert lines[-2:] == [said, "2 expected, 2 evaluated, 0 failed"]


def test_csv_to_a_file(videogn, capsys, checkpoint, folder, tmp_path):
    output = tmp_path / "scores.csv"
    arguments = [
        "--checkpoint",
        checkpoint,
        "--output",
        output,
        "--clips=2",
        "--top-k=2",
        "--workers=1",
    ]
    assert videogn("predict", folder, *arguments) == 1
    assert capsys.readouterr().out == ""
    rows = list(csv.DictReader(io.StringIO(output.read_text())))
    assert [row["rank"] for row in rows] == ["1", "2", "", "1", "2"]
    assert rows[2]["error"] == "file is empty"


def test_top_k_beyond_the_classes_gives_all(videogn, capsys, checkpoint, folder):
    assert videogn("predict", folder / "a.mp4", "--checkpoint", checkpoint, "--format=json", "--top-k=99") == 0
    scores = [prediction["score"] for prediction in json.loads(capsys.readouterr().out)[0]["predictions"]]
    assert len(scores) == 8
    assert sum(scores) == pytest.approx(1)


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_a_file_gets_what_would_be_printed(videogn, capsys, checkpoint, folder, tmp_path, monkeypatch, form):
    monkeypatch.chdir(folder)  # a long path would be folded in the table
    arguments = [".", "--checkpoint", checkpoint, "--format", form, "--clips=1"]
    assert videogn("predict", *arguments) == 1
    printed = capsys.readouterr().out
    assert videogn("predict", *arguments, "--output", tmp_path / "out") == 1
    assert capsys.readouterr().out == ""
    written = (tmp_path / "out").read_text()
    if form == "table":  # the width differs
        assert "b c.mp4" in written
    else:
        assert written == printed
    if form == "json":
        assert written == json.dumps(json.loads(written), indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("form", ["csv", "json", "jsonl"])
def test_predictions_are_printed_as_they_come(videogn, monkeypatch, capsys, checkpoint, folder, form):
    """Into a pipe, so that those of a million videos are never held; a terminal shows the bar meanwhile."""
    from videogn.inference.predictor import Prediction, Predictor

    printed = []

    def predict(self, paths, **options):
        for number in range(3):
            yield Prediction(f"{number}.mp4", scores=(("pulse", 0.5),))
            printed.append(capsys.readouterr().out)

    monkeypatch.setattr(Predictor, "predict", predict)
    assert videogn("predict", folder, "--checkpoint", checkpoint, "--format", form) == 0
    for number, text in enumerate(printed):
        assert f"{number}.mp4" in text


def test_a_misspelt_checkpoint_is_reported_before_torch_is_imported(checkpoint, folder):
    code = "import sys; from videogn.cli import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    wrong = str(checkpoint).replace("last", "lst")
    command = [sys.executable, "-c", code, "predict", str(folder / "a.mp4"), f"--checkpoint={wrong}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert "did you mean" in done.stderr


def test_a_video_that_takes_too_long_is_a_failure(videogn, capsys, checkpoint, folder):
    arguments = ["--checkpoint", checkpoint, "--format=json", "--clips=1", "--time-limit=1e-6"]
    assert videogn("predict", folder / "a.mp4", *arguments) == 1
    printed = capsys.readouterr()
    assert "not decoded within 1e-06 s" in json.loads(printed.out)[0]["error"]
    assert videogn("predict", folder / "a.mp4", *arguments[:-1], "--time-limit=0") == 0


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("--time-limit=-1", "time_limit must be >= 0, got -1"),
        ("--clips=0", "num_clips must be > 0, got 0"),
        ("--top-k=0", "top_k must be > 0"),
        ("--device=gpu", "device 'gpu'"),
    ],
)
def test_wrong_numbers(videogn, capsys, checkpoint, folder, option, expected):
    assert videogn("predict", folder / "a.mp4", "--checkpoint", checkpoint, option) == 2
    assert expected in capsys.readouterr().err


def test_prediction_is_what_testing_says(videogn, capsys, motion, trained, checkpoint, tmp_path):
    from training import evaluation_arguments

    assert videogn(*evaluation_arguments("test", motion, tmp_path, checkpoint)) == 0
    with (tmp_path / "predictions.csv").open() as lines:
        tested = {row["path"]: (row["top1"], float(row["score1"])) for row in csv.DictReader(lines)}
    capsys.readouterr()
    options = ("--checkpoint", checkpoint, "--format=json", "--clips=3", "--precision=32")
    assert videogn("predict", motion / "val", *options) == 0
    predicted = {
        row["path"]: (row["predictions"][0]["label"], row["predictions"][0]["score"])
        for row in json.loads(capsys.readouterr().out)
    }
    assert predicted.keys() == tested.keys()
    for path, (label, score) in tested.items():
        assert predicted[path] == (label, pytest.approx(score, abs=1e-6))


def test_crops_are_those_of_the_checkpoint(videogn, capsys, motion, tmp_path):
    """A network made for the centre of the frame is shown the centre, unless told otherwise."""
    from training import evaluation_arguments, fit_arguments

    assert videogn(*fit_arguments(motion, tmp_path, "--model.crops=center", "--model.short_side=40")) == 0
    checkpoint = tmp_path / "checkpoints" / "last.ckpt"
    scores = {}
    for crops in (None, "center", "full"):
        capsys.readouterr()
        own = [] if crops is None else [f"--crops={crops}"]
        video = next(motion.glob("val/expand/*.mp4"))
        assert videogn("predict", video, "--checkpoint", checkpoint, "--format=json", *own) == 0
        scores[crops] = json.loads(capsys.readouterr().out)[0]["predictions"]
    assert scores[None] == scores["center"] != scores["full"]
    for own, expected in (([], "center"), (["--model.crops=full"], "full")):
        assert videogn(*evaluation_arguments("test", motion, tmp_path / expected, checkpoint, *own)) == 0
        results = json.loads((tmp_path / expected / "results.json").read_text())
        assert results["protocol"]["crops"] == expected


def test_a_missing_file_among_others_is_one_failure(videogn, capsys, checkpoint, folder):
    arguments = ["--checkpoint", checkpoint, "--format=json", "--clips=1"]
    assert videogn("predict", folder / "a.mp4", folder / "b.mp4", *arguments) == 1
    rows = json.loads(capsys.readouterr().out)
    assert "predictions" in rows[0]
    assert rows[1] == {"path": str(folder / "b.mp4"), "error": "file not found"}


def test_a_folder_as_output_is_found_before_the_work(videogn, capsys, checkpoint, folder, tmp_path):
    assert videogn("predict", folder, "--checkpoint", checkpoint, "--format=csv", "--output", tmp_path) == 2
    assert "--output must be a file" in capsys.readouterr().err


def test_names_that_are_not_utf_8(videogn, capsys, checkpoint, folder):
    os.rename(os.fsencode(folder / "a.mp4"), os.fsencode(folder) + b"/\xff.mp4")
    assert videogn("predict", folder, "--checkpoint", checkpoint, "--format=json", "--clips=1") == 1
    path = json.loads(capsys.readouterr().out)[-1]["path"]
    assert os.fsencode(opened_path(path)) == os.fsencode(folder) + b"/\xff.mp4"
    assert videogn("predict", path, "--checkpoint", checkpoint, "--format=json", "--clips=1") == 0
    assert json.loads(capsys.readouterr().out)[0]["path"] == path


def test_names_that_begin_with_a_tilde_or_a_dash(videogn, capsys, monkeypatch, checkpoint, folder):
    monkeypatch.chdir(folder)
    os.rename("a.mp4", "~nobody.mp4")
    shutil.copy("~nobody.mp4", "-x.mp4")
    assert videogn("predict", "--checkpoint", checkpoint, "--clips=1", "--", "~nobody.mp4", "-x.mp4") == 0
    assert capsys.readouterr().err.splitlines()[-1] == "2 expected, 2 evaluated, 0 failed"


def test_parts_of_videos(videogn, capsys, checkpoint, folder):
    """Of a file, and of every video in a folder; a wrong part is one line, alone or among others."""
    options = ("--checkpoint", checkpoint, "--format=json", "--clips=2", "--top-k=99", "--time-limit=0")
    whole, part, wrong = (f"{folder / 'a.mp4'}{end}" for end in ("", "#frames=2,12", "#t=3,2"))
    assert videogn("predict", whole, part, wrong, f"{folder / 'deep er'}#t=0,0.5", *options) == 1
    printed = capsys.readouterr()
    rows = {row["path"]: row.get("predictions") for row in json.loads(printed.out)}
    assert list(rows) == [whole, part, wrong, f"{folder / 'deep er' / 'b c.mp4'}#t=0,0.5"]
    assert rows[whole] != rows[part]
    message = "a part from 3 to 2; its end must come after its start"
    assert f"{wrong}: {message}" in printed.err.splitlines()
    assert videogn("predict", wrong, *options) == 2
    assert capsys.readouterr().err == f"videogn: error: {wrong}: {message}\n"
    assert videogn("predict", str(part).replace("a.mp4", "aa.mp4"), *options) == 2
    assert "did you mean" in capsys.readouterr().err
