"""A training that comes to a bad end in the middle of an epoch goes on as if it had not."""

from __future__ import annotations

import csv
import functools
import json
import logging
import os
import subprocess
import time
from pathlib import Path

import pytest
from forked import run_forked, run_ranks
from run_recorder import descendants
from training import fit_arguments

from videogn.cli import main

DDP = ["--trainer.strategy=ddp", "--trainer.devices=2"]
#: Each of them with a decoder.
WORKERS = ["--data.num_workers=2", "--data.time_limit=60"]
#: 15 steps of 2 to 32 clips, of 2 to 8 frames.
MULTIGRID = [
    *("--data.multigrid=both", "--data.batch_size=2", "--trainer.max_epochs=5"),
    *("--model.clip_length=8", "--model.interval=1", "--model.norm=bn"),
]


def _arguments(root, out, *more, **recorder):
    """A fit with dropout, in a new folder of its own for each run."""
    options = {"folder": out / "seen", **recorder}
    return [
        *(a for a in fit_arguments(root, out) if "logger" not in a and "limit_train" not in a and "epochs" not in a),
        "--model.arch_options={width: 8, dropout: 0.5}",
        "--data.batch_size=4",
        "--data.max_failures=0.2",
        "--checkpoint.minutes=0.000001",
        "--trainer.callbacks+=run_recorder.RunRecorder",
        *(f"--trainer.callbacks.{name}={value}" for name, value in options.items()),
        *more,
    ]


@pytest.fixture(scope="module")
def whole(damaged, tmp_path_factory):
    """Options -> folder of the training that nothing disturbs, which tests of the same options share."""

    @functools.cache
    def train(*options):
        out = tmp_path_factory.mktemp("whole")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(logging.root, "handlers", [])  # the command makes one for the standard error of the moment
            patch.setattr("sys.argv", ["videogn", *map(str, _arguments(damaged, out, *options))])
            with pytest.raises(SystemExit) as caught:
                main()
        assert caught.value.code == 0
        return out

    return train


def _steps(out):
    """Step -> every value of the loss that was logged for it, in all runs of a folder."""
    found = {}
    for file in sorted(out.glob("version_*/metrics.csv")):
        with file.open() as lines:
            for row in csv.DictReader(lines):
                if row.get("train/loss_step"):
                    found.setdefault(int(row["step"]), []).append(row["train/loss_step"])
    return found


def _validations(out):
    """Those between two optimiser steps are done again, with the same result."""
    rows = []
    for file in sorted(out.glob("version_*/metrics.csv")):
        with file.open() as lines:
            rows += [(r["step"], r["val/loss"], r["val/top1"]) for r in csv.DictReader(lines) if r.get("val/loss")]
    return list(dict.fromkeys(rows))


def _seen(out, rank=0):
    """(epoch, batch) -> what was seen; a batch that was begun twice has to be the same both times."""
    found = {}
    for line in (out / "seen" / f"{rank}.jsonl").read_text().splitlines():
        epoch, batch, *content = json.loads(line)
        assert found.setdefault((epoch, batch), content) == content
    return found


def _assert_same(one, other):
    assert list(_seen(one)) == list(_seen(other))
    assert _seen(one) == _seen(other)
    losses = {step: set(values) for step, values in _steps(other).items()}
    assert losses == {step: set(values) for step, values in _steps(one).items()}
    assert _validations(one) == _validations(other)


@pytest.mark.parametrize(
    "options",
    [
        ["--trainer.max_epochs=2"],
        ["--trainer.max_epochs=2", "--trainer.accumulate_grad_batches=3", "--trainer.val_check_interval=4"],
        ["--trainer.max_epochs=-1", "--trainer.max_steps=14", "--model.norm=bn"],
        MULTIGRID,
    ],
    ids=["epochs", "accumulation", "steps", "multigrid"],
)
@pytest.mark.parametrize("end_at", [5, 11])
def test_after_an_error_in_the_middle_of_an_epoch(videogn, whole, damaged, tmp_path, options, end_at):
    """8 batches an epoch. The batch in hand is trained again, and so are those since the last optimiser step."""
    assert videogn(*_arguments(damaged, tmp_path, *options, end_at=end_at, end_by="error")) == 2
    assert videogn(*_arguments(damaged, tmp_path, *options, "--ckpt_path=last")) == 0
    _assert_same(whole(*options), tmp_path)


def test_augmented_clips_are_the_same_again(videogn, whole, damaged, tmp_path):
    """Mixed within each of the batches that make up a step."""
    options = ["--trainer.max_epochs=1", "--trainer.accumulate_grad_batches=3", "--data.random_resized_crop=[0.2,1]"]
    options += ["--model.mixup=0.8", "--model.cutmix=1", "--model.rand_augment=9", "--model.color_jitter=0.4"]
    assert videogn(*_arguments(damaged, tmp_path, *options, end_at=5, end_by="error")) == 2
    assert videogn(*_arguments(damaged, tmp_path, *options, "--ckpt_path=last")) == 0
    _assert_same(whole(*options), tmp_path)


@pytest.mark.parametrize("end_at", [3, 7])
def test_after_an_error_in_a_validation(videogn, whole, damaged, tmp_path, end_at):
    """It is done again from its first video; in the middle of an epoch and at its end."""
    options = ["--trainer.max_epochs=2", "--trainer.val_check_interval=4"]
    assert videogn(*_arguments(damaged, tmp_path, *options, end_at=end_at, end_by="validation")) == 2
    assert videogn(*_arguments(damaged, tmp_path, *options, "--ckpt_path=last")) == 0
    _assert_same(whole(*options), tmp_path)


@pytest.mark.parametrize("options", [[11, 1], [8, 1], [4, 3], [5, 3]], ids=str)
def test_more_steps_than_at_first(videogn, whole, damaged, tmp_path, options):
    """The epoch that max_steps ended early goes on; at a constant rate, since a schedule follows max_steps."""
    steps, accumulate = options
    more = ["--trainer.max_epochs=2", f"--trainer.accumulate_grad_batches={accumulate}", "--model.lr_gamma=1"]
    assert videogn(*_arguments(damaged, tmp_path, *more, f"--trainer.max_steps={steps}")) == 0
    assert videogn(*_arguments(damaged, tmp_path, *more, "--ckpt_path=last")) == 0
    _assert_same(whole(*more), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [[], ["--trainer.accumulate_grad_batches=2"], MULTIGRID],
    ids=["plain", "accumulation", "multigrid"],
)
def test_after_a_kill_with_workers(whole, damaged, tmp_path, options):
    """kill -9 of a real process: nothing is lost, and none of its workers and decoders is left behind."""
    options = ["--trainer.max_epochs=2", *options]
    killed = run_forked(_arguments(damaged, tmp_path, *options, *WORKERS, end_at=12), tmp_path / "log.txt")
    assert killed.statuses == [-9], killed.output
    left = json.loads((tmp_path / "seen" / "left 0.json").read_text())
    assert len(left) >= 4  # two workers, each with its decoder
    deadline = time.monotonic() + 60
    while still := [process for process in left if _runs(process)]:
        assert time.monotonic() < deadline, still
        time.sleep(0.2)
    resumed = run_forked(_arguments(damaged, tmp_path, *options, *WORKERS, "--ckpt_path=last"), tmp_path / "log.txt")
    assert resumed.statuses == [0], resumed.output
    _assert_same(whole(*options), tmp_path)  # without workers: they make no difference


def _runs(process):
    try:
        return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_two_processes_with_workers(damaged, tmp_path):
    """No video twice in an epoch and none left out but for the remainder; the same after a kill of both."""
    whole, broken, log = tmp_path / "whole", tmp_path / "broken", tmp_path / "log.txt"
    options = [*DDP, *WORKERS, "--trainer.max_epochs=2", "--data.batch_size=2"]
    done = run_ranks(_arguments(damaged, whole, *options), log)
    assert done.statuses == [0, 0], done.output
    everything = {str(video) for video in (damaged / "train").rglob("*.mp4")}
    empty = {path for path in everything if not Path(path).stat().st_size}
    for epoch in (0, 1):
        batches = [_seen(whole, rank)[epoch, batch] for rank in (0, 1) for batch in range(8)]
        seen = [path for samples, _ in batches for path, *_ in samples]
        failed = {path for _, failures in batches for path in failures}
        assert failed == empty
        assert set(seen) == everything - empty
        assert len(seen) == 32  # 29, and what replaces three
    killed = run_ranks(_arguments(damaged, broken, *options, end_at=12), log)
    assert killed.statuses == [-9, -9], killed.output
    resumed = run_ranks(_arguments(damaged, broken, *options, "--ckpt_path=last"), log)
    assert resumed.statuses == [0, 0], resumed.output
    assert _seen(whole, 1) == _seen(broken, 1)
    _assert_same(whole, broken)


def test_another_batch_in_the_middle_of_an_epoch_is_refused(videogn, damaged, tmp_path, capsys):
    """The rest of the epoch could not be found: 8 videos at a time where it was 2 x 4."""
    accumulated = ["--trainer.accumulate_grad_batches=2", "--trainer.max_epochs=1"]
    assert videogn(*_arguments(damaged, tmp_path, *accumulated, end_at=5, end_by="error")) == 2
    at_once = ["--data.batch_size=8", "--trainer.max_epochs=1", "--ckpt_path=last"]
    assert videogn(*_arguments(damaged, tmp_path, *at_once)) == 2
    assert "from the middle of an epoch in batches of 4 clips over all devices, not 8" in capsys.readouterr().err


def test_descendants():
    shell = subprocess.Popen(["sh", "-c", "sleep 30; true"])
    try:
        deadline = time.monotonic() + 10
        while len(descendants(shell.pid)) < 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for process in (*descendants(shell.pid), shell.pid):
            os.kill(process, 9)
        shell.wait()
