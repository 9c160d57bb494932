"""Memory that runs out: one line with what fits, and status 2."""

from __future__ import annotations

import re
import sys

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor
from training import evaluation_arguments, fit_arguments

from videogn.cli.main import main
from videogn.memory import StepSetting, plan_steps
from videogn.memory.forward import ForwardPlan
from videogn.models.assembly import BlockNetwork

CPU = RuntimeError(
    "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried"
)
ERRORS = [torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nDetails."), CPU]
SETTING = StepSetting("i3d_tiny", "gn", 4, 32, arch_options={"width": 8}, num_classes=8)


@pytest.fixture
def short(monkeypatch):
    """A network that asks for too much memory, and a device with a given number of bytes left."""

    real = BlockNetwork.forward

    def make(error, limit):
        def forward(network, clips):
            if isinstance(clips, FakeTensor):  # of a plan
                return real(network, clips)
            raise error

        monkeypatch.setattr(BlockNetwork, "forward", forward)
        monkeypatch.setattr("videogn.memory.device_memory", lambda *_: limit)

    return make


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_training_names_the_batches_that_fit(videogn, motion, tmp_path, short, capsys, error):
    plan = plan_steps([SETTING], device="cpu")[0]
    short(error, plan.memory(5).peak_bytes)
    assert videogn(*fit_arguments(motion, tmp_path)) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error" in line]
    assert line.startswith("videogn: error: out of memory: batches of 8 clips need ")
    assert re.search(r"Clips that fit: 5 in plain, \d+ in lean, \d+ in block, \d+ in stage; take a smaller", line)


def test_a_step_that_should_have_fitted(videogn, motion, tmp_path, short, capsys):
    short(CPU, 2**34)
    assert videogn(*fit_arguments(motion, tmp_path)) == 2
    assert "something else has taken the rest" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "option"), [("test", "--model.clips_per_forward"), ("validate", "eval_batch_size")]
)
def test_an_evaluation_names_the_clips_that_fit(videogn, motion, trained, tmp_path, short, capsys, command, option):
    size = (4, 32, 57) if command == "test" else (4, 32, 32)
    short(CPU, ForwardPlan(SETTING, size).peak_bytes(3))
    assert videogn(*evaluation_arguments(command, motion, tmp_path, trained / "checkpoints" / "last.ckpt")) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "where 3 would fit" in line
    assert line.endswith(f"{option} 3")


def test_other_errors_stay_what_they_are(videogn, motion, tmp_path, short):
    short(RuntimeError("something else"), 0)
    with pytest.raises(RuntimeError, match="something else"):
        videogn(*fit_arguments(motion, tmp_path))


def test_a_forward_pass_needs_the_clips_and_less_than_a_step():
    frames, side = 4, 32
    clips = [ForwardPlan(SETTING, (frames, side, side)).peak_bytes(number) for number in (8, 16)]
    assert clips[1] - clips[0] >= 8 * 3 * frames * side * side * 4  # the clips themselves at least
    training = plan_steps([SETTING], device="cpu")[0]
    assert clips[0] < training.memory(8).peak_bytes


@pytest.mark.parametrize("error", [*ERRORS, MemoryError()], ids=lambda error: type(error).__name__)
def test_a_prediction_says_what_to_lower(monkeypatch, capsys, error):
    def run(*_):
        raise error

    monkeypatch.setattr(sys.modules["videogn.cli.main"], "_run", run)
    with pytest.raises(SystemExit) as ended:
        main(["predict"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("videogn: error: out of memory: ")
    assert line.endswith("; fewer clips at once need less (--batch-clips 1)")
