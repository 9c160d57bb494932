"""`memory_mode: auto` of fit, on the command line."""

from __future__ import annotations

import logging

import pytest
import torch
import yaml
from training import evaluation_arguments, fit_arguments

from videogn.memory import StepSetting, plan_steps

AUTO = "--model.arch_options={width: 8, memory_mode: auto}"


@pytest.fixture(scope="module")
def plain():
    """Function from a batch size to the bytes of a step of the tests' network that keeps everything."""
    setting = StepSetting("i3d_tiny", "gn", 4, 32, arch_options={"width": 8})
    plan = plan_steps([setting], device="cpu")[0]
    return lambda clips: plan.memory(clips).peak_bytes


@pytest.fixture
def free(monkeypatch):
    """Sets how many bytes a step can take on the device."""
    return lambda limit: monkeypatch.setattr("videogn.memory.device_memory", lambda *_, **__: limit)


def _fit(videogn, motion, out, *more):
    return videogn(*fit_arguments(motion, out, AUTO, *more))


def _config(folder):
    config = yaml.safe_load((folder / "config.yaml").read_text())
    mode = config["model"]["arch_options"].get("memory_mode", "plain")
    return mode, config["data"]["batch_size"], config["trainer"]["accumulate_grad_batches"]


def test_a_divided_batch_is_recorded_and_resumed(videogn, motion, tmp_path, free, plain, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("videogn.memory.fitting.MEMORY_MODES", ("plain",))
    free((plain(4) + plain(5)) // 2)
    assert _fit(videogn, motion, tmp_path) == 0
    shown = caplog.text
    assert "memory_mode auto: plain with 2 batches of 4 clips a step; 8 clips at once need more than" in shown
    assert "effective batch: 4 clips a normalisation batch, 8 an optimiser step" in shown
    assert _config(tmp_path) == ("plain", 4, 2)
    last = tmp_path / "checkpoints" / "last.ckpt"
    facts = torch.load(last, weights_only=True)["training"]
    assert (facts["clips_per_batch"], facts["clips_per_step"]) == (4, 8)

    free(2**40)  # the whole batch would fit now, but the run goes on as it began
    assert _fit(videogn, motion, tmp_path, f"--ckpt_path={last}", "--trainer.max_epochs=2") == 0
    assert "memory_mode auto: plain with 2 batches of 4 clips a step; as in the checkpoint" in caplog.text
    assert _config(tmp_path) == ("plain", 4, 2)


def test_a_mode_is_recorded_and_resumed(videogn, motion, tmp_path, free, plain, caplog):
    caplog.set_level(logging.INFO)
    free(plain(8) - 1)
    assert _fit(videogn, motion, tmp_path, "--model.norm=bn") == 0
    last = tmp_path / "checkpoints" / "last.ckpt"
    mode, *batches = _config(tmp_path)
    assert mode != "plain"
    assert batches == [8, 1]
    hparams = torch.load(last, weights_only=True)["hyper_parameters"]
    assert hparams["arch_options"] == {"width": 8, "memory_mode": mode}
    free(2**40)
    assert _fit(videogn, motion, tmp_path, "--model.norm=bn", f"--ckpt_path={last}", "--trainer.max_epochs=2") == 0
    assert f"memory_mode auto: {mode}; as in the checkpoint" in caplog.text
    assert _config(tmp_path)[0] == mode


def test_a_test_needs_no_mode(videogn, motion, trained, tmp_path):
    arguments = evaluation_arguments("validate", motion, tmp_path, trained / "checkpoints" / "last.ckpt")
    assert videogn(*arguments, AUTO) == 0


def test_what_is_refused(videogn, motion, tmp_path, free, capsys):
    free(1000)
    assert _fit(videogn, motion, tmp_path) == 2
    assert "memory_mode auto: one clip needs " in capsys.readouterr().err
    assert _fit(videogn, motion, tmp_path, "--trainer.devices=2") == 2
    assert "memory_mode auto plans for GPUs or one CPU process, got 2 on cpu" in capsys.readouterr().err
    assert _fit(videogn, motion, tmp_path, "--trainer.precision=64-true") == 2
    assert "memory_mode auto: one clip needs " in capsys.readouterr().err  # planned as well
    assert _fit(videogn, motion, tmp_path, "--trainer.precision=transformer-engine") == 2
    assert "precision transformer-engine replaces linear layers" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())
