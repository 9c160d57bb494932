"""A checkpoint tested on other clips than it was trained on."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict

import pytest
from jsonargparse import Namespace
from training import fit_arguments

from videogn.choices import NetworkInput
from videogn.cli.checkpoint_settings import adopt
from videogn.video.clips import clip_indices


def test_a_checkpoint_is_tested_on_other_clips(motion, trained, tmp_path, videogn, caplog):
    hparams = [f"--data.root={motion}", f"--ckpt_path={trained / 'checkpoints' / 'last.ckpt'}",
               "--trainer.accelerator=cpu", "--trainer.logger=false", "--data.num_workers=0"]  # fmt: skip
    other = ["--model.clip_length=8", "--model.interval=3", f"--model.results_dir={tmp_path}"]
    assert videogn("test", *hparams, *other, "--data.num_clips=3", f"--trainer.default_root_dir={tmp_path}") == 0
    assert "tested on clips of 8 x 3; the network was trained on 4 x 2" in caplog.text
    results = json.loads((tmp_path / "results.json").read_text())
    assert (results["protocol"]["clip_length"], results["protocol"]["interval"]) == (8, 3)
    assert results["counts"]["evaluated"] == 16
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    starts = [int(start) for start in clip_indices(32, clip_length=8, interval=3, num_clips=3)[:, 0]]
    assert rows[0]["clip_starts"] == " ".join(map(str, starts))


def _clips(given):
    """Clips of a test by a checkpoint of 8 x 3, where some options are given, and what would be read without it."""
    config = {f"{of}.{name}": value for name, value in asdict(NetworkInput()).items() for of in ("model", "data")}
    config |= {"model.engine_file": None, "data.class_names": None, "model.crops": "center"} | given
    hparams = {"clip_length": 8, "interval": 3, "short_side": 40, "crops": "full", "class_names": ["a"]}
    words = Namespace()
    for name, value in given.items():
        words[name] = value
    adopt(config, hparams, words, training=False)
    return config["data.clip_length"], config["data.interval"], config["data.short_side"]


@pytest.mark.parametrize(
    ("given", "clips", "said"),
    [
        ({}, (8, 3), None),
        ({"clip_length": 99}, (99, 3), "99 x 3"),
        ({"interval": 5}, (8, 5), "8 x 5"),
        ({"interval": None}, (8, 3), None),
        ({"clip_length": 4, "interval": 2}, (4, 2), "4 x 2"),
    ],
)
def test_what_is_not_given_stays_that_of_the_checkpoint(given, clips, said, caplog):
    assert _clips({f"model.{name}": value for name, value in given.items()}) == (*clips, 40)
    line = f"tested on clips of {said}; the network was trained on 8 x 3"
    assert caplog.messages == ([] if said is None else [line])


def test_a_training_run_goes_on_with_its_own_clips(motion, trained, tmp_path, videogn, capsys):
    checkpoint = f"--ckpt_path={trained / 'checkpoints' / 'last.ckpt'}"
    assert videogn(*fit_arguments(motion, tmp_path, checkpoint, "--model.clip_length=8")) == 2
    assert "model.clip_length is 8, but" in capsys.readouterr().err
