"""A checkpoint tested on other clips than it was trained on."""

from __future__ import annotations

import csv
import json

from training import fit_arguments

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


def test_a_training_run_goes_on_with_its_own_clips(motion, trained, tmp_path, videogn, capsys):
    checkpoint = f"--ckpt_path={trained / 'checkpoints' / 'last.ckpt'}"
    assert videogn(*fit_arguments(motion, tmp_path, checkpoint, "--model.clip_length=8")) == 2
    assert "model.clip_length is 8, but" in capsys.readouterr().err
