"""Images from the command line: made, trained on, tested and predicted by the commands of videos."""

from __future__ import annotations

import csv
import json
import logging

import pytest

TRAINING = (
    *("--config=images/textures", "--trainer.max_epochs=1", "--trainer.limit_train_batches=2", "--data.batch_size=4"),
    *("--model.arch_options={depth: 8, width: 4}", "--trainer.enable_progress_bar=false", "--trainer.logger=false"),
)


def test_from_nothing_to_a_prediction(videogn, tmp_path, monkeypatch, capsys, caplog):
    caplog.set_level(logging.INFO)
    monkeypatch.chdir(tmp_path)
    assert videogn("data", "images", "textures", "textures", "--images-per-class", "4") == 0
    assert "textures: ready; train on it with `videogn fit --config images/textures" in capsys.readouterr().out
    assert videogn("fit", *TRAINING) == 0
    assert "parameters; images of 32 x 32, 8 classes; on cpu" in caplog.text
    assert "32 train images, 4 a class; 8 val images" in caplog.text
    (checkpoint,) = (tmp_path / "runs").rglob("last.ckpt")
    results = tmp_path / "results"
    test = ("test", f"--ckpt_path={checkpoint}", "--data.root=textures", "--data.num_clips=1", "--trainer.logger=false")
    assert videogn(*test, f"--model.results_dir={results}", "--data.num_workers=0") == 0
    summary = json.loads((results / "results.json").read_text())
    assert summary["counts"] == {**summary["counts"], "expected": 8, "evaluated": 8}
    assert (summary["protocol"]["clips"], summary["protocol"]["clip_length"]) == (1, 1)
    page = (results / "report.html").read_text()
    assert "one view an image, crops center, short side 32 pixels" in page
    assert "clips of 1 x 1" not in page
    with (results / "predictions.csv").open(newline="") as file:
        (tested,) = (row for row in csv.DictReader(file) if row["path"].endswith("fine level/000000.png"))
    predict = ("predict", "textures/val/fine level/000000.png", "--checkpoint", str(checkpoint), "--clips", "1")
    assert videogn(*predict, "--output", "scores.csv") == 0
    with open("scores.csv", newline="") as file:
        first = next(csv.DictReader(file))
    assert first["label"] == tested["top1"]
    assert float(first["score"]) == pytest.approx(float(tested["score1"]), abs=1e-5)


def test_longer_clips_are_refused(videogn, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    videogn("data", "images", "textures", "textures", "--images-per-class", "1")
    assert videogn("fit", *TRAINING, "--model.clip_length=8") == 2
    assert "clip_length must be 1 for images such as" in capsys.readouterr().err
