"""videogn probe: features once, then classifiers; a checkpoint like any other."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal

import pytest
import torch
from training import evaluation_arguments

from videogn.inference import Predictor
from videogn.models import i3d_tiny, load_weights


@pytest.fixture
def probe(videogn, trained, motion, tmp_path):
    plain = ("--time-limit=0", "--workers=0", "--clips=2", "--device=cpu", "--epochs=20")
    source = ("--checkpoint", trained / "checkpoints" / "last.ckpt", "--output", tmp_path / "probe.ckpt")
    return lambda *more, data=motion: videogn("probe", *source, "--data", data, *plain, *more)


def test_the_checkpoint_tests_as_the_probe_has_found(probe, videogn, motion, tmp_path, capsys):
    assert probe("--json") == 0
    said = capsys.readouterr()
    assert "48 expected, 48 evaluated, 0 failed" in said.err.splitlines()
    found = json.loads(said.out)
    assert (found["train_videos"], found["val_videos"], found["clips"]) == (32, 16, 2)
    assert len(found["trials"]) == 30
    wanted = max(found["trials"], key=lambda trial: (trial["val_top1"], -trial["val_loss"]))
    assert {name: found[name] for name in wanted} == wanted
    checkpoint = tmp_path / "probe.ckpt"
    more = (f"--model.results_dir={tmp_path / 'results'}", "--data.num_clips=2")
    assert (
        videogn(*(a for a in evaluation_arguments("test", motion, tmp_path, checkpoint) if "num_clips" not in a), *more)
        == 0
    )
    results = json.loads((tmp_path / "results" / "results.json").read_text())
    assert results["over_all"]["top1"] == pytest.approx(found["val_top1"])
    assert results["training"]["probe_of"].endswith("last.ckpt")
    assert results["training"]["learning_rate"] == wanted["learning_rate"]
    predictor = Predictor(checkpoint, num_clips=2, device="cpu", time_limit=0)
    videos = sorted(motion.glob("val/*/*.mp4"))
    losses = [
        -math.log(dict(prediction.scores)[video.parent.name])
        for video, prediction in zip(videos, predictor.predict(videos, top_k=8), strict=True)
    ]
    assert sum(losses) / len(losses) == pytest.approx(wanted["val_loss"], rel=1e-4)
    report = load_weights(i3d_tiny(8, width=8), checkpoint, class_names=predictor.class_names)
    assert report.missing == []  # the classifier is taken over too


def test_a_stop_after_the_features_says_that_they_are_kept(probe, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("videogn.training.linear_heads.best_of", lambda _: os.kill(os.getpid(), signal.SIGTERM))
    assert probe() == 143
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == "videogn: error: interrupted: the features are kept; the same command goes on"
    assert not (tmp_path / "probe.ckpt").exists()


def test_other_rates_take_no_features_again(probe, tmp_path, capsys, monkeypatch):
    assert probe() == 0
    first = torch.load(tmp_path / "probe.ckpt", weights_only=True)["state_dict"]
    monkeypatch.setattr("videogn.inference.decoding.load_sample", lambda *_, **__: pytest.fail("decoded again"))
    capsys.readouterr()
    assert probe("--learning-rate", "0.001", "1e30", "--weight-decay", "0.1") == 0
    said = capsys.readouterr()
    assert "48 expected, 48 evaluated, 0 failed; 48 of them were scored before" in said.err.splitlines()
    assert "diverged" in said.out
    *table, outcome, command = said.out.splitlines()
    assert all(len(line) <= 80 for line in table)
    assert "val/top1" in outcome
    assert outcome.endswith(str(tmp_path / "probe.ckpt"))
    assert command.startswith(f"videogn test --ckpt_path {tmp_path / 'probe.ckpt'} --data.root ")
    second = torch.load(tmp_path / "probe.ckpt", weights_only=True)["state_dict"]
    changed = {name for name in first if not torch.equal(first[name], second[name])}
    assert changed == {"net.blocks.6.proj.weight", "net.blocks.6.proj.bias"}


def test_one_folder_a_class_is_divided_and_what_fails_is_named(probe, motion, tmp_path, capsys):
    root = tmp_path / "mine"
    for name in ("expand", "drift up"):
        shutil.copytree(motion / "train" / name, root / name)
    broken = sorted((root / "expand").glob("*.mp4"))[0]
    broken.write_bytes(b"no video")
    assert probe("--val-fraction=0.5", "--json", data=root) == 1
    said = capsys.readouterr()
    assert str(broken) in said.err
    found = json.loads(said.out)
    assert found["train_videos"] + found["val_videos"] == 7
    assert torch.load(tmp_path / "probe.ckpt", weights_only=True)["hyper_parameters"]["class_names"] == [
        "drift up",
        "expand",
    ]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (("--learning-rate", "0"), "--learning-rate must be > 0, got 0"),
        (("--weight-decay", "-1"), "--weight-decay must be >= 0, got -1"),
        (("--clips", "0"), "--clips must be > 0, got 0"),
    ],
)
def test_wrong_numbers(probe, capsys, more, reason):
    assert probe(*more) == 2
    assert reason in capsys.readouterr().err.splitlines()[-1]


def test_the_source_is_not_written_over_and_validation_videos_are_needed(videogn, trained, motion, tmp_path, capsys):
    source = trained / "checkpoints" / "last.ckpt"
    assert videogn("probe", "--checkpoint", source, "--data", motion, "--output", source) == 2
    assert "which would be lost: name another file" in capsys.readouterr().err
    shutil.copytree(motion / "train", tmp_path / "only" / "train")
    arguments = ("--data", tmp_path / "only", "--output", tmp_path / "probe.ckpt")
    assert videogn("probe", "--checkpoint", source, *arguments) == 2
    assert "there are no val videos in" in capsys.readouterr().err
