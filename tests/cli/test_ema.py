"""A fit with --model.ema, what reads its checkpoint, and its going on in the middle of an epoch."""

from __future__ import annotations

import warnings

import pytest
import torch
from training import evaluation_arguments, fit_arguments

from videogn.inference import load_network

EMA = ["--model.ema=0.6", "--model.norm=bn", "--model.milestones=[]"]


def _fit(videogn, motion, out, *more):
    """4 batches an epoch."""
    arguments = [a for a in fit_arguments(motion, out, *EMA) if "limit_train" not in a and "epochs" not in a]
    status = videogn(*arguments, "--data.batch_size=8", "--trainer.max_epochs=-1", *more)
    return status, out / "checkpoints" / "last.ckpt"


def _read(path):
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_it_goes_on_in_the_middle_of_an_epoch(videogn, motion, tmp_path, accumulated):
    accumulate = f"--trainer.accumulate_grad_batches={accumulated}"
    _, whole = _fit(videogn, motion, tmp_path / "whole", accumulate, "--trainer.max_steps=6")
    _, part = _fit(videogn, motion, tmp_path / "part", accumulate, "--trainer.max_steps=3")
    _, rest = _fit(videogn, motion, tmp_path / "rest", accumulate, "--trainer.max_steps=6", f"--ckpt_path={part}")
    one, other = _read(whole), _read(rest)
    for kind in ("state_dict", "current_model_state"):
        assert [n for n, value in one[kind].items() if not torch.equal(value, other[kind][n])] == []
    assert any(not torch.equal(value, one["current_model_state"][name]) for name, value in one["state_dict"].items())


def test_it_does_not_go_on_without_an_average(videogn, motion, tmp_path, capsys):
    """Whose weights would be those of the average."""
    _, part = _fit(videogn, motion, tmp_path / "part", "--trainer.max_steps=1")
    more = ["--trainer.max_steps=2", f"--ckpt_path={part}", "--model.ema=null"]
    assert _fit(videogn, motion, tmp_path / "no", *more)[0] == 2
    said = capsys.readouterr().err
    assert "average of the weights of decay 0.6, not none: resume with the same (--model.ema)" in said


def test_what_reads_the_checkpoint_reads_the_average(videogn, motion, tmp_path):
    _, last = _fit(videogn, motion, tmp_path / "ema", "--trainer.max_steps=2")
    average = _read(last)["state_dict"]
    network = load_network(last)[0].state_dict()  # of predict and export
    assert all(torch.equal(value, network[name.removeprefix("net.")]) for name, value in average.items())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert videogn(*evaluation_arguments("test", motion, tmp_path / "test", last)) == 0
    assert not any("WeightAverage" in str(each.message) for each in said)
    more = [f"--model.init_from={last}", "--trainer.max_steps=1", "--model.lr=0", "--model.ema=null"]
    _, started = _fit(videogn, motion, tmp_path / "started", *more)
    weights = _read(started)["state_dict"]
    assert all(torch.equal(value, weights[n]) for n, value in average.items() if "conv" in n)
