"""A loss, gradient or weight that is not finite: what `fit` says, how it exits, and what it leaves."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from forked import run_ranks
from poison import States
from training import evaluation_arguments, fit_arguments

from videogn.training import nonfinite_policy

#: 32 videos in batches of 4.
BATCHES = 8


def _arguments(root, out, *more, epochs=2, **poison):
    options = {name: value for name, value in poison.items() if value is not None}
    return [
        *(a for a in fit_arguments(root, out) if "limit_train" not in a and "max_epochs" not in a),
        f"--trainer.max_epochs={epochs}",
        "--data.batch_size=4",
        *(["--trainer.callbacks+=poison.Poison"] if options else []),
        *(f"--trainer.callbacks.{name}={value}" for name, value in options.items()),
        "--trainer.callbacks+=run_recorder.RunRecorder",
        f"--trainer.callbacks.folder={out / 'seen'}",
        *more,
    ]


def _videos(out, batch):
    """Names of the videos of a batch, counted from the beginning."""
    lines = (out / "seen" / "0.jsonl").read_text().splitlines()
    return [sample[0] for sample in json.loads(lines[batch])[2]]


def _column(out, name):
    with (out / "metrics.csv").open() as lines:
        return [float(row[name]) for row in csv.DictReader(lines) if row.get(name)]


def _checkpoints(out):
    return {path.name: path.read_bytes() for path in (out / "checkpoints").glob("*")}


def test_a_learning_rate_that_is_too_high(videogn, motion, tmp_path, capsys):
    """The whole way: weights grow until the loss is NaN, and no validation is due for long."""
    arguments = _arguments(motion, tmp_path, "--trainer.check_val_every_n_epoch=10", epochs=10)
    assert videogn(*arguments, "--model.lr=1e9", "--model.base_batch=null") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    steps = _column(tmp_path, "train/loss_step")
    assert last.startswith("videogn: error: the loss is nan at step ") or "gradient is not finite at step" in last
    assert f"at step {len(steps) + 1} (epoch 0, learning rate 1e+09)" in last
    assert all(path in last for path in _videos(tmp_path, len(steps)))
    assert "lower --model.lr" in last
    assert "--model.nonfinite skip" in last
    assert not _checkpoints(tmp_path)


@pytest.mark.parametrize(("accumulate", "batch", "step"), [(1, BATCHES + 3, 12), (2, BATCHES + 2, 6), (2, BATCHES, 5)])
def test_stop_leaves_the_last_good_checkpoint(videogn, motion, tmp_path, capsys, accumulate, batch, step):
    """Whichever of the accumulated batches it is, that one's videos are named."""
    options = [f"--trainer.accumulate_grad_batches={accumulate}"]
    assert videogn(*_arguments(motion, tmp_path, *options, epochs=1)) == 0
    good = _checkpoints(tmp_path)
    resume = [f"--ckpt_path={tmp_path / 'checkpoints' / 'last.ckpt'}", "--checkpoint.minutes=0.000001"]
    resume.append("--checkpoint.save_top_k=0")  # which would replace that of the first epoch
    poisoned = _arguments(motion, tmp_path, *options, *resume, "--trainer.max_epochs=2", batches=[batch])
    assert videogn(*poisoned) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"the loss is nan at step {step} (epoch 1, learning rate " in last
    named = last.partition("in a batch of ")[2].partition("; ")[0].split(", ")
    assert named == _videos(tmp_path, batch)
    for name, content in _checkpoints(tmp_path).items():
        if content != good.get(name):
            written = torch.load(tmp_path / "checkpoints" / name, weights_only=True)
            assert all(tensor.isfinite().all() for tensor in written["state_dict"].values())
            assert written["global_step"] < step


@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("norm", ["bn", "gn"])
def test_a_skipped_step_changes_nothing(videogn, motion, tmp_path, caplog, accumulate, norm):
    """Weights, momentum and running statistics are to the bit those of the step before."""
    more = [f"--model.norm={norm}", f"--trainer.accumulate_grad_batches={accumulate}", "--model.nonfinite=skip"]
    more.append("--trainer.callbacks+=poison.States")
    batches = [4, 5, BATCHES + 2]
    assert videogn(*_arguments(motion, tmp_path, *more, batches=batches)) == 0
    ends = range(accumulate - 1, 2 * BATCHES, accumulate)
    bad = {batch // accumulate for batch in batches}
    for step, end in enumerate(ends):
        if step > 0:
            before, after = States.after[end - accumulate], States.after[end]
            assert all(map(torch.equal, before, after)) == (step in bad), step
    assert sum(_column(tmp_path, "train/skipped")) == len(bad)
    assert len(_column(tmp_path, "train/skipped")) == 2
    lines = [line for line in caplog.messages if "the step is skipped" in line]
    assert len(lines) == len(bad)
    assert lines[0].startswith("the loss is nan at step ")
    assert _videos(tmp_path, 4)[0] in lines[0]
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(tensor.isfinite().all() for tensor in state.values())


def test_skipping_ends_after_many_steps_in_a_row(videogn, motion, tmp_path, capsys):
    batches = list(range(2, 2 * BATCHES))
    assert videogn(*_arguments(motion, tmp_path, "--model.nonfinite=skip", batches=batches)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "at step 13 (epoch 1" in last  # the eleventh
    assert "10 steps before it were skipped already" in last


def test_skipping_ends_after_many_steps_in_all(videogn, motion, tmp_path, capsys, monkeypatch):
    """Counted over resumed runs."""
    monkeypatch.setattr(nonfinite_policy, "MAX_IN_ALL", 2)
    skip = "--model.nonfinite=skip"
    assert videogn(*_arguments(motion, tmp_path / "a", skip, batches=[1, 6], epochs=1)) == 0
    last = tmp_path / "a" / "checkpoints" / "last.ckpt"
    assert videogn(*_arguments(motion, tmp_path / "b", skip, f"--ckpt_path={last}", batches=[BATCHES + 1])) == 1
    assert "2 other steps were skipped already" in capsys.readouterr().err


@pytest.mark.parametrize("minutes", [0, 0.000001])
@pytest.mark.parametrize("after", [3, 2 * BATCHES - 1], ids=["in the middle", "after the last step"])
def test_weights_that_are_not_finite_are_in_no_checkpoint(videogn, motion, tmp_path, capsys, minutes, after):
    more = [f"--checkpoint.minutes={minutes}", "--trainer.limit_val_batches=0"]
    assert videogn(*_arguments(motion, tmp_path, *more, weights_after=after)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"not finite after step {after + 1}" in last or f"at step {after + 2} " in last
    for path in (tmp_path / "checkpoints").glob("*"):
        state = torch.load(path, weights_only=True)["state_dict"]
        assert all(tensor.isfinite().all() for tensor in state.values())


def test_an_error_of_another_kind_writes_none_either(videogn, motion, tmp_path, capsys):
    assert videogn(*_arguments(motion, tmp_path, weights_after=3, then=True)) == 2
    last = "poison.Poison failed where it is named (ValueError: as asked); VIDEOGN_TRACEBACK=1 shows where"
    assert capsys.readouterr().err.splitlines()[-1] == f"videogn: error: {last}"
    assert not _checkpoints(tmp_path)


def test_a_validation_names_step_and_videos(videogn, motion, tmp_path, capsys):
    """The weights become infinite in the very step before it."""
    assert videogn(*_arguments(motion, tmp_path, weights_after=BATCHES - 1, epochs=1)) == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"not finite (NaN or infinity) in the validation after step {BATCHES} (epoch 0, learning rate " in last
    assert last.count(f"{motion / 'val'}/") == last.count(".mp4") == 4
    assert not _checkpoints(tmp_path)


@pytest.mark.parametrize("policy", ["stop", "skip"])
def test_all_processes_decide_alike(motion, tmp_path, policy):
    """The logits of one of two are NaN."""
    more = ["--trainer.strategy=ddp", "--trainer.devices=2", f"--model.nonfinite={policy}"]
    arguments = _arguments(motion, tmp_path, *more, epochs=2, batches=[2], rank=1)
    done = run_ranks(arguments, tmp_path / "log.txt")
    named = [line for line in done.output.splitlines() if "the loss is nan at step 3 " in line]
    other = json.loads((tmp_path / "seen" / "1.jsonl").read_text().splitlines()[2])
    assert all(sample[0] in named[0] for sample in other[2])
    assert done.statuses == ([1, 1] if policy == "stop" else [0, 0]), done.output
    if policy == "skip":
        assert _column(tmp_path, "train/skipped") == [1, 0]


@pytest.mark.parametrize("rank", [0, 1])
def test_all_processes_stop_at_the_same_validation(motion, tmp_path, rank):
    """The process that finds nothing wrong does not wait for the other, and says the same."""
    more = ["--trainer.strategy=ddp", "--trainer.devices=2", "--trainer.callbacks+=poison.PoisonValidation"]
    arguments = _arguments(motion, tmp_path, *more, f"--trainer.callbacks.rank={rank}", epochs=1)
    done = run_ranks(arguments, tmp_path / "log.txt")
    assert done.statuses == [1, 1], done.output
    assert "Traceback" not in done.output
    named = [line for line in done.output.splitlines() if " in the validation after step " in line]
    assert len(set(named)) == 1
    assert named[0].startswith("videogn: error: the network gave logits that are not finite (NaN or infinity)")
    assert not _checkpoints(tmp_path)


def test_validate_names_the_videos(videogn, motion, trained, tmp_path, capsys):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    poisoned = evaluation_arguments("validate", motion, tmp_path, checkpoint, "--data.batch_size=4")
    assert videogn(*poisoned, "--trainer.callbacks+=poison.PoisonValidation") == 1
    last = capsys.readouterr().err.splitlines()[-1]
    assert "not finite (NaN or infinity) in the validation, for " in last
    assert last.count(f"{motion / 'val'}/") == last.count(".mp4") == 4


@pytest.mark.parametrize("rank", [0, 1])
def test_all_processes_of_validate_stop_with_one_line(motion, trained, tmp_path, rank):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    more = ["--trainer.strategy=ddp", "--trainer.devices=2", "--trainer.callbacks+=poison.PoisonValidation"]
    more += [f"--trainer.callbacks.rank={rank}", "--data.batch_size=4"]
    done = run_ranks(evaluation_arguments("validate", motion, tmp_path, checkpoint, *more), tmp_path / "log.txt")
    assert done.statuses == [1, 1], done.output
    assert "Traceback" not in done.output
    named = [line for line in done.output.splitlines() if " in the validation, for " in line]
    assert len(set(named)) == 1
    assert named[0].startswith("videogn: error: the network gave logits that are not finite (NaN or infinity)")
