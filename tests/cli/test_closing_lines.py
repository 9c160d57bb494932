"""The last lines of a fit, the command among them, and the curve that they name."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal

import pytest
import torch
from PIL import Image
from training import evaluation_arguments, fit_arguments

from videogn.cli import closing_lines
from videogn.cli.closing_lines import command_of_test, draw_curve
from videogn.training.history import History, Stretch

pytestmark = pytest.mark.draws

BEST = "runs/version_0/checkpoints/best.ckpt"


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ({"root": "my videos"}, ["--data.root", "my videos"]),
        ({"root": "it's $HOME", "flip": 0.0, "batch_size": 4}, ["--data.root", "it's $HOME"]),
        ({"val": "val.csv", "train": "train.csv", "num_clips": 3}, ["--data.val", "val.csv", "--data.num_clips", "3"]),
        ({"root": "a", "num_clips": 10, "val_fraction": 0.2}, ["--data.root", "a"]),  # the defaults
        ({"root": "a", "use_truncated": True}, ["--data.root", "a", "--data.use_truncated", "true"]),
        ({"root": "a" * 90}, ["--data.root", "a" * 90]),
        ({"train": "train.csv"}, ["--data.test", "VIDEOS"]),
    ],
)
def test_the_command_is_what_a_shell_makes_of_it(data, options):
    command = command_of_test(BEST, data, ["my_package"])
    words = shlex.split(command.replace("\\\n", " "))
    assert words == ["videogn", "test", "--ckpt_path", BEST, *options, "--trust", "my_package"]
    lines = command.split("\n")
    assert all(line.endswith(" \\") for line in lines[:-1])
    assert all(len(line) <= 80 for line in lines) or "a" * 90 in command


def test_the_command_that_a_fit_ends_with_works(videogn, motion, tmp_path, monkeypatch, caplog):
    """As it stands, from the folder where the fit ran; and `best` means the same."""
    monkeypatch.chdir(tmp_path)
    arguments = [a for a in fit_arguments(motion, "runs", "--data.max_failures=0.3") if "logger" not in a]
    with caplog.at_level(logging.INFO):
        assert videogn(*arguments) == 0
    accuracies, places, command = caplog.messages[-3:]
    assert re.fullmatch(r"val/top1: best (\d+\.\d) % \(epoch 1\), last \1 % \(epoch 1\)", accuracies)
    assert places == f"best checkpoint: {BEST}; curve: runs/version_0/curve.png"
    Image.open("runs/version_0/curve.png").verify()
    caplog.clear()
    words = shlex.split(command.replace("\\\n", " "))
    assert {"--data.max_failures", "--data.num_clips"} <= set(words)
    with caplog.at_level(logging.INFO):
        assert videogn(*words[1:], "--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu") == 0
    assert caplog.messages[-2].startswith("16 expected, 16 evaluated")  # then where the page is
    best = evaluation_arguments("validate", motion, "runs", "best", "--trainer.limit_val_batches=1")
    assert videogn(*best) == 0


def test_without_validations(videogn, motion, tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        assert videogn(*fit_arguments(motion, tmp_path, "--trainer.limit_val_batches=0")) == 0
    said, places, command = caplog.messages[-3:]
    assert said == "trained 1 epoch; nothing was validated, so no checkpoint is the best"
    last = tmp_path / "checkpoints" / "last.ckpt"
    assert places == f"last checkpoint: {last}; curve: {tmp_path / 'curve.png'}"
    assert str(last) in command


def test_a_resumed_run_knows_what_was_before(videogn, motion, tmp_path, caplog):
    """In the next folder; and one that has nothing left to train still says it."""
    arguments = [a for a in fit_arguments(motion, tmp_path, "--ckpt_path=last", "--model.lr=0") if "logger" not in a]
    for epochs, folder in ((1, "version_0"), (2, "version_1"), (2, "version_2")):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            assert videogn(*arguments, f"--trainer.max_epochs={epochs}") == 0
        accuracies, places, _ = caplog.messages[-3:]
        assert re.fullmatch(rf"val/top1: best (.*) % \(epoch 1\), last \1 % \(epoch {epochs}\)", accuracies)
        best = tmp_path / folder / "checkpoints" / "best.ckpt"
        assert best.is_file()
        assert places.startswith(f"best checkpoint: {best};")


def test_an_interrupted_run_says_how_it_goes_on(videogn, motion, tmp_path, monkeypatch, caplog, capsys):
    """And writes what it has trained, after the step in which it is asked to end."""
    train = closing_lines.RunHistory.on_train_batch_end

    def interrupt(callback, trainer, *rest):
        train(callback, trainer, *rest)
        if trainer.current_epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("videogn.training.callbacks.RunHistory.on_train_batch_end", interrupt)
    with caplog.at_level(logging.INFO):
        assert videogn(*fit_arguments(motion, tmp_path, "--trainer.max_epochs=3")) == 143
    assert caplog.messages[-1].startswith("val/top1: best ")
    last = tmp_path / "checkpoints" / "last.ckpt"
    how = f"videogn: error: interrupted: the same command with --ckpt_path {last} goes on"
    assert capsys.readouterr().err.splitlines()[-1] == how
    assert torch.load(last, weights_only=True)["global_step"] == 4  # asked after the hook of step 3
    assert (tmp_path / "curve.png").is_file()
    assert not (tmp_path / "cost.json").exists()


def test_a_curve_that_cannot_be_drawn_is_one_line(tmp_path, caplog):
    history = History([Stretch(1.0, 2.0, 0.1)])
    assert draw_curve(history, str(tmp_path)) == tmp_path / "curve.png"
    (tmp_path / "file").touch()
    assert draw_curve(history, str(tmp_path / "file")) is None
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path / 'file' / 'curve.png'} is not drawn: ")
    assert draw_curve(History(), str(tmp_path)) is None
    assert draw_curve(history, "s3://bucket/run") is None


@pytest.mark.parametrize(
    ("command", "words"),
    [("fit", "--ckpt_path best is for test and validate"), ("test", "no checkpoints in ")],
)
def test_best_where_there_is_none(videogn, motion, tmp_path, capsys, command, words):
    assert videogn(command, f"--data.root={motion}", f"--trainer.default_root_dir={tmp_path}", "--ckpt_path=best") == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith(f"videogn: error: {words}")
