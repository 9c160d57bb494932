"""Checkpoints that a training run writes anew while another command loads them: no rows under the name of the other."""

from __future__ import annotations

import os
import shutil

import pytest

from videogn.inference.predictor import Predictor


@pytest.fixture
def moving(trained, tmp_path, monkeypatch):
    """A checkpoint that is another one as soon as it is loaded."""
    checkpoint, load = tmp_path / "last.ckpt", Predictor.__init__
    shutil.copy(trained / "checkpoints" / "last.ckpt", checkpoint)

    def loaded(predictor, *arguments, **options):
        load(predictor, *arguments, **options)
        checkpoint.write_bytes(checkpoint.read_bytes() + b"\0")

    monkeypatch.setattr(Predictor, "__init__", loaded)
    return checkpoint


@pytest.mark.parametrize("command", ["predict", "features", "probe"])
def test_it_is_said_and_nothing_is_kept(videogn, moving, motion, tmp_path, capsys, command):
    output = tmp_path / ("probe.ckpt" if command == "probe" else "rows.parquet")
    videos = ["--data", motion] if command == "probe" else [motion]
    assert videogn(command, *videos, "--checkpoint", moving, "--output", output, "--time-limit=0", "--workers=0") == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line == (
        f"videogn: error: {moving} changed while it was being used: give the command again, or a copy of the file"
    )
    assert {path.name for path in tmp_path.iterdir()} <= {"last.ckpt"}


def test_a_pipe_is_no_checkpoint(videogn, motion, tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe.ckpt")
    assert videogn("predict", motion, "--checkpoint", tmp_path / "pipe.ckpt", "--output", tmp_path / "rows.csv") == 2
    assert "pipe.ckpt" in capsys.readouterr().err
