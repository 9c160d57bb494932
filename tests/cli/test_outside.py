"""Norms, networks, optimisers and schedules from outside the package, named on the command line and in grids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import yaml
from forked import run_command
from training import evaluation_arguments, fit_arguments

import videogn as videogn_package
from videogn.study import running

ADAMW = ["--model.optimizer=AdamW", "--model.optimizer.weight_decay=0.05"]
OWN = ["--model.optimizer=own_optim.Lion", "--model.scheduler=own_optim.Halving", "--model.scheduler.steps=1"]
NET = ["--model.arch=own_nets.small_net", "--model.norm=own_norms.rms_group_norm", "--model.norm_options={groups: 2}"]


def _last(out):
    return torch.load(out / "checkpoints" / "last.ckpt", weights_only=True)


def _groups(out):
    (optimizer,) = _last(out)["optimizer_states"]
    return optimizer["param_groups"]


@pytest.mark.parametrize(
    ("options", "lr"),
    [
        ([], 0.008),  # its own, 0.001, for no particular batch
        (["--model.base_batch=64"], 0.001),
        (["--model.lr=0.002"], 0.002),  # the base learning rate of every optimiser
        (["--model.optimizer.lr=0.004"], 0.004),
        (["--model.lr=0.002", "--model.optimizer.lr=0.001"], 0.001),  # AdamW's own default, but asked for
    ],
)
def test_an_optimiser_by_name(videogn, motion, tmp_path, options, lr):
    """8 clips a step for a base of 64: an eighth of the rate."""
    assert videogn(*fit_arguments(motion, tmp_path, *ADAMW, *options, "--model.milestones=[]")) == 0
    groups = _groups(tmp_path)
    assert [group["initial_lr"] for group in groups] == pytest.approx([lr / 8] * 2)
    assert [group["weight_decay"] for group in groups] == [0.05, 0.0]
    assert groups[0]["betas"] == (0.9, 0.999)  # no SGD
    training = _last(tmp_path)["training"]
    assert training["optimizer"] == "torch.optim.adamw.AdamW"
    assert training["scheduler"] == "torch.optim.lr_scheduler.LambdaLR"


@pytest.mark.parametrize(
    "options", [ADAMW, [*ADAMW, "--model.scheduler=CosineAnnealingLR", "--model.scheduler.T_max=8"], OWN]
)
def test_resuming_is_exact_with_any_optimiser_and_scheduler(videogn, motion, tmp_path, outside, options):
    def fit(name, epochs, *more):
        out = tmp_path / name
        epoch = [f"--trainer.max_epochs={epochs}", "--model.milestones=[]", "--model.schedule=step"]
        assert videogn(*fit_arguments(motion, out, *options, *epoch, *more)) == 0
        return _last(out)

    whole = fit("whole", 2)
    fit("part", 1)
    resumed = fit("rest", 2, f"--ckpt_path={tmp_path / 'part' / 'checkpoints' / 'last.ckpt'}")
    assert whole["global_step"] == resumed["global_step"] == 4
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, resumed["state_dict"][name]), name
    assert [g["lr"] for g in _groups(tmp_path / "whole")] == [g["lr"] for g in _groups(tmp_path / "rest")]


def test_a_scheduler_from_outside_follows_every_step(videogn, motion, tmp_path, outside):
    assert videogn(*fit_arguments(motion, tmp_path, *OWN, "--model.lr=0.064")) == 0
    assert [group["lr"] for group in _groups(tmp_path)] == pytest.approx([0.064 / 8 / 4] * 2)  # two steps


def test_a_plateau_is_looked_for_after_validations(videogn, motion, tmp_path):
    """Epochs without a validation have no val/loss to look at."""
    plateau = ["--model.scheduler=lightning.pytorch.cli.ReduceLROnPlateau", "--model.scheduler.monitor=val/loss"]
    often = ["--trainer.check_val_every_n_epoch=2", "--trainer.max_epochs=4", "--trainer.limit_val_batches=1"]
    assert videogn(*fit_arguments(motion, tmp_path, *plateau, *often)) == 0
    (scheduler,) = _last(tmp_path)["lr_schedulers"]
    assert scheduler["last_epoch"] == 1  # Lightning steps it after the checkpoint: the second time is not in there


def test_resuming_with_another_optimiser_is_an_error(videogn, motion, trained, tmp_path, capsys):
    checkpoint = trained / "checkpoints" / "last.ckpt"
    more = [f"--ckpt_path={checkpoint}", "--trainer.max_epochs=2"]
    assert videogn(*fit_arguments(motion, tmp_path, *more, *ADAMW)) == 2
    line = "trained with torch.optim.sgd.SGD, not torch.optim.adamw.AdamW: resume with the same (--model.optimizer)"
    assert line in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--model.optimizer=AdmW"], "model.optimizer cannot be 'AdmW'; did you mean 'AdamW'?"),
        (
            ["--model.scheduler=CosineAnealingLR"],
            "model.scheduler cannot be 'CosineAnealingLR'; did you mean 'CosineAnnealingLR'?",
        ),
        (["--model.optimizer=nowhere.Lion"], "model.optimizer cannot be 'nowhere.Lion'"),
        ([*ADAMW, "--model.optimizer.weightdecay=1"], "no option --model.optimizer.weightdecay"),
        (["--model.scheduler=ReduceLROnPlateau"], "several have this name: give the full path"),
    ],
)
def test_an_unknown_optimiser_is_one_line(videogn, motion, tmp_path, capsys, options, expected):
    assert videogn(*fit_arguments(motion, tmp_path, *options)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert expected in lines[0]


def test_a_norm_that_does_not_take_the_channels_is_one_line(videogn, motion, tmp_path, outside, capsys):
    norm = ["--model.norm=own_norms.rms_group_norm", "--model.norm_options={groups: 32}"]
    assert videogn(*fit_arguments(motion, tmp_path, *norm)) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("Seed set")]
    assert len(lines) == 1
    assert "norm 'own_norms.rms_group_norm' cannot make a layer of 8 channels: ValueError: 8 channels" in lines[0]


@pytest.fixture(scope="module")
def own(motion, tmp_path_factory):
    """A training run of a network, a norm, an optimiser and a schedule of one's own, in a process of its own."""
    out = tmp_path_factory.mktemp("own")
    arguments = [a for a in fit_arguments(motion, out, *OWN) if "arch" not in a]
    folders = [Path(__file__).parents[1] / "outside", Path(videogn_package.__file__).parents[1]]
    done = subprocess.run(
        [sys.executable, "-m", "videogn", *arguments, *NET],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, folders))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_a_checkpoint_names_them_in_plain_text_and_needs_trust(videogn, motion, own, tmp_path, outside, capsys):
    checkpoint = own / "checkpoints" / "last.ckpt"
    content = _last(own)
    assert content["hyper_parameters"]["norm"] == "own_norms.rms_group_norm"
    assert content["hyper_parameters"]["arch"] == "own_nets.small_net"
    assert content["training"]["optimizer"] == "own_optim.Lion"
    assert content["training"]["scheduler"] == "own_optim.Halving"
    arguments = evaluation_arguments("test", motion, tmp_path, checkpoint)
    for loaded in ("own_nets", "own_norms", "own_optim"):
        sys.modules.pop(loaded, None)
    assert videogn(*arguments) == 2
    assert "names own_nets.small_net, code that is imported only if you trust it" in capsys.readouterr().err
    assert videogn(*arguments, "--trust=own_nets") == 2
    assert "names own_norms.rms_group_norm" in capsys.readouterr().err
    assert "own_nets" not in sys.modules
    assert videogn(*arguments, "--trust", "own_nets", "own_norms") == 0
    assert videogn(*arguments, *NET) == 0  # what is typed is trusted
    assert "own_optim" not in sys.modules  # a test needs no optimiser
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["counts"]["evaluated"] == 16
    assert results["training"]["optimizer"] == "own_optim.Lion"


@pytest.mark.slow
def test_predict_and_resume_need_trust_too(videogn, motion, own, tmp_path, outside, capsys):
    checkpoint = own / "checkpoints" / "last.ckpt"
    video = next((motion / "val").rglob("*.mp4"))
    predict = ["predict", str(video), f"--checkpoint={checkpoint}", "--clips=1"]
    assert videogn(*predict) == 2
    assert "add --trust own_nets" in capsys.readouterr().err
    assert videogn(*predict, "--trust", "own_nets", "own_norms") == 0
    arguments = [a for a in fit_arguments(motion, tmp_path, *OWN, f"--ckpt_path={checkpoint}") if "arch" not in a]
    arguments[arguments.index("--trainer.max_epochs=1")] = "--trainer.max_epochs=2"
    assert videogn(*arguments) == 2
    assert "add --trust own_nets" in capsys.readouterr().err
    assert videogn(*arguments, "--trust", "own_nets", "own_norms") == 0
    assert _last(tmp_path)["global_step"] == 4


@pytest.mark.slow
def test_plan_takes_them(videogn, outside, capsys):
    options = ["--model", "own_nets.small_net", "--norm", "own_norms.rms_group_norm", "--clips", "4x2", "--crop", "32"]
    assert videogn("plan", *options, "--num-classes", "8", "--batch-size", "1", "2", "--device", "cpu", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["norm"] for row in rows] == ["own_norms.rms_group_norm"] * 2


@pytest.mark.slow
def test_a_study_takes_them_from_its_grid(videogn, tmp_path, outside, monkeypatch):
    monkeypatch.setattr(running, "run_command", run_command)  # `own` is trained by a fresh process
    grid = {
        "title": "Norms of one's own",
        "configs": ["motion"],
        "motion": {"videos_per_class": 2, "val_videos_per_class": 1, "frames": 16},
        "fit": {
            "model": {
                "arch": "own_nets.small_net",
                "optimizer": {"class_path": "own_optim.Lion", "init_args": {"weight_decay": 0.1}},
                "scheduler": {"class_path": "own_optim.Halving", "init_args": {"steps": 2}},
            },
            "data": {"num_clips": 2, "time_limit": 0},
        },
        "axes": {
            "norm": [{"name": name, "groups": 2} for name in ("gn", "own_norms.rms_group_norm")],
            "clip": "4x2",
            "batch_size": 4,
        },
        "budget": {"epochs": 1},
    }
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(grid))
    out = tmp_path / "study"
    trust = ["--trust", "own_nets", "own_norms", "own_optim"]
    assert videogn("study", "run", str(tmp_path / "grid.yaml"), "--out", str(out), "--jobs", "1", *trust) == 0
    found = {path.parent.name: json.loads(path.read_text()) for path in out.glob("cells/*/results.json")}
    assert len(found) == 2
    assert {result["model"]["norm"] for result in found.values()} == {"gn", "own_norms.rms_group_norm"}
    assert {result["training"]["optimizer"] for result in found.values()} == {"own_optim.Lion"}
