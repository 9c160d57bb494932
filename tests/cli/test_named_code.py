"""Allowed names in a wrong place: one line that names them, status 2; errors of our own keep their traceback."""

from __future__ import annotations

import pytest
import torch
from jsonargparse import Namespace
from training import fit_arguments

from videogn.cli.named_code import naming_what_failed
from videogn.norm import make_norm

CALLBACK = "trainer: {callbacks: {class_path: lightning.pytorch.callbacks."


@pytest.mark.parametrize(
    ("configuration", "line"),
    [
        (
            f"{CALLBACK}LambdaCallback, init_args: {{on_fit_start: torch.nn.functional.relu}}}}}}",
            "torch.nn.functional.relu failed where it is named (TypeError: relu",
        ),
        (
            f"{CALLBACK}LambdaCallback, init_args: {{on_train_batch_end: torch.nn.functional.relu}}}}}}",
            "torch.nn.functional.relu failed where it is named (TypeError: relu() takes",
        ),
        (f"{CALLBACK}BackboneFinetuning}}}}", "lightning.pytorch.callbacks.BackboneFinetuning or "),
        (
            "model: {optimizer: torch.optim.SparseAdam}",
            "torch.optim.SparseAdam failed where it is named (RuntimeError: ",
        ),
        (
            "model: {norm: torch.nn.BatchNorm2d}",
            "torch.nn.BatchNorm2d failed where it is named (ValueError: expected 4D",
        ),
        ("model: {norm: torch.nn.LayerNorm}", "torch.nn.LayerNorm failed where it is named (RuntimeError: "),
        ("model: {norm: torch.nn.InstanceNorm3d}", "norm 'torch.nn.InstanceNorm3d' makes InstanceNorm3d without a "),
    ],
)
def test_a_wrong_place_is_one_line(videogn, motion, tmp_path, capsys, configuration, line):
    (tmp_path / "its.yaml").write_text(configuration)
    assert videogn(*fit_arguments(motion, tmp_path, f"--config={tmp_path / 'its.yaml'}")) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert line in said.splitlines()[-1]


def test_errors_of_our_own_keep_their_traceback():
    """Also where what is named calls our code, as an optimiser does the training step."""
    ours = {"__name__": "videogn.training.task"}
    exec("def step(): raise RuntimeError('a bug')", ours)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    settings = Namespace({"model.optimizer.class_path": "torch.optim.SGD"})
    with pytest.raises(RuntimeError, match="a bug"), naming_what_failed(settings):
        optimizer.step(ours["step"])


def test_whoever_asks_sees_the_traceback(monkeypatch):
    monkeypatch.setenv("VIDEOGN_TRACEBACK", "1")
    with (
        pytest.raises(RuntimeError, match="size"),
        naming_what_failed(Namespace({"model.norm": "torch.nn.LayerNorm"})),
    ):
        torch.nn.LayerNorm(2)(torch.zeros(3))


@pytest.mark.parametrize("name", ["torch.nn.InstanceNorm3d", "torch.nn.Identity", "torch.nn.ReLU"])
def test_a_norm_has_a_gamma(name):
    with pytest.raises(ValueError, match=rf"norm '{name}' makes \w+ without a parameter `weight`"):
        make_norm(name).last(8)


def test_a_norm_makes_layers():
    with pytest.raises(
        ValueError, match=r"norm 'torch\.zeros' must make layers \(torch\.nn\.Module\), and makes Tensor"
    ):
        make_norm("torch.zeros")(8)
