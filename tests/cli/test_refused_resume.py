"""A resumed run that is refused writes nothing, so that `--ckpt_path last` means the newest that was trained."""

from __future__ import annotations

import os

import pytest
import torch
from training import fit_arguments

from videogn.training.newest_checkpoint import newest_whole

RECORDER = "--trainer.callbacks+=run_recorder.RunRecorder"


def _fit(videogn, root, out, *more):
    """Whole epochs of 8 batches of 4, in a folder of its own each time."""
    arguments = [a for a in fit_arguments(root, out) if "logger" not in a and "limit_train" not in a]
    return videogn(*arguments, "--trainer.max_epochs=2", "--data.batch_size=4", *more)


def _files(out):
    return {path: path.stat().st_mtime_ns for path in out.rglob("*")}


def _interrupt(videogn, root, out, at):
    recorder = [RECORDER, f"--trainer.callbacks.folder={out / 'seen'}", f"--trainer.callbacks.end_at={at}"]
    assert _fit(videogn, root, out, *recorder, "--trainer.callbacks.end_by=error") == 2


@pytest.mark.parametrize(
    ("at", "options"),
    [
        (5, ["--data.batch_size=2"]),
        (5, ["--data.batch_size=2", "--trainer.accumulate_grad_batches=2"]),
        (5, ["--trainer.devices=2", "--trainer.strategy=ddp"]),
        (8, ["--trainer.accumulate_grad_batches=2"]),
        (8, ["--model.optimizer=AdamW"]),
    ],
    ids=["batch", "batch in two parts", "devices", "accumulation", "optimiser"],
)
def test_a_refused_start_leaves_last_as_it_was(videogn, motion, tmp_path, capsys, at, options):
    """In the middle of the first epoch, and between two."""
    _interrupt(videogn, motion, tmp_path, at)
    before = _files(tmp_path)
    assert _fit(videogn, motion, tmp_path, "--ckpt_path=last", *options) == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("videogn: error: the checkpoint was ")
    new = {path for path, changed in _files(tmp_path).items() if before.get(path) != changed} - {tmp_path}
    assert not any(path.suffix == ".ckpt" for path in new)
    if "optimizer" not in options[0]:  # which is made when the run's folder is already there
        assert not new
    assert _fit(videogn, motion, tmp_path, "--ckpt_path=last") == 0
    assert torch.load(newest_whole(tmp_path)[0], weights_only=True)["global_step"] == 16


def test_whatever_refuses_the_start(videogn, motion, tmp_path):
    """A callback of the user's, at the first batch of the resumed run."""
    _interrupt(videogn, motion, tmp_path, 11)
    last = newest_whole(tmp_path)[0]
    recorder = [RECORDER, f"--trainer.callbacks.folder={tmp_path}", "--trainer.callbacks.end_at=11"]
    assert _fit(videogn, motion, tmp_path, "--ckpt_path=last", *recorder, "--trainer.callbacks.end_by=error") == 2
    assert newest_whole(tmp_path)[0] == last


def _checkpoint(root, run, age, **content):
    path = root / run / "checkpoints" / "last.ckpt"
    path.parent.mkdir(parents=True)
    standard = {"global_step": 8, "state_dict": {"w": torch.ones(2)}, "training": {"seed": 0, "clips_per_step": 4}}
    torch.save({**standard, **content}, path)
    os.utime(path, (1e9 - age, 1e9 - age))
    return path


def test_what_a_refused_start_of_an_earlier_version_wrote_is_passed_over(tmp_path):
    """The weights of the one before at the same step, under another number of clips a step."""
    right = _checkpoint(tmp_path, "a", 3)
    assert newest_whole(tmp_path)[0] == right
    for age, clips in ((2, 2), (1, 16)):
        _checkpoint(tmp_path, f"{age}", age, training={"seed": 0, "clips_per_step": clips})
        assert newest_whole(tmp_path)[0] == right


@pytest.mark.parametrize(
    "content",
    [
        {"global_step": 9, "training": {"clips_per_step": 2}},
        {"state_dict": {"w": torch.zeros(2)}, "training": {"clips_per_step": 2}},
        {"state_dict": {"v": torch.ones(2)}, "training": {"clips_per_step": 2}},
        {},
    ],
    ids=["trained", "of another run", "of another network", "equal"],
)
def test_any_other_newest_is_the_last(tmp_path, content):
    _checkpoint(tmp_path, "a", 3)
    newest = _checkpoint(tmp_path, "b", 1, **content)
    assert newest_whole(tmp_path)[0] == newest


def test_no_checkpoint(tmp_path):
    assert newest_whole(tmp_path)[0] is None
