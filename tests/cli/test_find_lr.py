"""fit --find_lr: a range test that leaves a picture and nothing else."""

from __future__ import annotations

import logging
import re

import pytest
from training import fit_arguments

from videogn.training.callbacks import rate_finder


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    for module in ("videogn.training.callbacks.rate_finder", "videogn.cli.rate_finding"):
        monkeypatch.setattr(f"{module}.STEPS", 16)
    from videogn.cli import rate_finding

    monkeypatch.setitem(rate_finding._TRAINER, "max_steps", 16)
    monkeypatch.setattr(rate_finder, "LOWEST", 1e-3)
    monkeypatch.setattr(rate_finder, "HIGHEST", 1.0)


def _find(videogn, motion, out, caplog, *more):
    caplog.clear()
    with caplog.at_level(logging.INFO):
        status = videogn(*fit_arguments(motion, out, "--find_lr", *more))
    return status, caplog.messages[-1] if caplog.messages else ""


def test_it_says_a_rate_and_leaves_a_picture(videogn, motion, tmp_path, caplog):
    """The same twice; and in the unit of --model.lr, eight times the rate of a step of 8 clips."""
    more = [
        "--model.norm=bn",
        "--model.ema=0.9",
        "--model.early_stopping=2",
        "--trainer.callbacks+=LearningRateMonitor",
    ]
    status, line = _find(videogn, motion, tmp_path / "one", caplog, *more)
    assert status == 0
    assert [path.name for path in (tmp_path / "one").rglob("*")] == ["learning_rate.png"]
    assert _find(videogn, motion, tmp_path / "two", caplog, *more)[1] == line.replace("one", "two")
    found = re.match(
        r"try --model\.lr (\S+), where .* \((\S+) in a step of 8 clips\); it is lowest at \S+; .*png$", line
    )
    if found:  # a loss that does not fall in 16 steps has a line of its own
        assert float(found[1]) == pytest.approx(8 * float(found[2]), rel=0.1)
    else:
        assert "no learning rate can be suggested" in line


def test_it_trains_on_base_clips(videogn, motion, tmp_path, caplog):
    """Multigrid multiplies the rate by that of its batches; --model.lr is that of base clips."""
    more = ["--data.batch_size=1", "--model.milestones=[0.5]"]
    _, plain = _find(videogn, motion, tmp_path / "one", caplog, *more)
    status, line = _find(videogn, motion, tmp_path / "two", caplog, *more, "--data.multigrid=long")
    assert status == 0
    assert line == plain.replace("one", "two")


def test_it_does_not_go_on_with_a_run(videogn, motion, trained, tmp_path, caplog, capsys):
    last = trained / "checkpoints" / "last.ckpt"
    assert _find(videogn, motion, tmp_path, caplog, f"--ckpt_path={last}")[0] == 2
    assert "give --model.init_from in place of --ckpt_path" in capsys.readouterr().err
