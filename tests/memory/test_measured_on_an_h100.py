"""Plans against what was measured on a GPU that tests seldom have: an NVIDIA H100 80GB, torch 2.11.0+cu130, cuDNN 9.19.

I3D-50, clips of 32 x 224 x 224. Training of 4 clips by `measure_step`, of 8 clips and inference by benchmarks/gpu.py,
both with contiguous tensors: in channels_last kernels take other workspaces.
"""

from __future__ import annotations

import pytest

from videogn.memory import ForwardPlan, StepSetting, step_memory

TRAINING = [
    ("bn", "bf16-mixed", "plain", 4, 1_774_766_120),
    ("bn", "bf16-mixed", "block", 4, 910_557_736),
    ("bn", "bf16-mixed", "stage", 4, 868_005_928),
    ("bn", "bf16-mixed", "plain", 8, 3_141_679_144),
    ("gn", "bf16-mixed", "plain", 8, 6_042_670_208),
    ("bn", "32", "plain", 8, 5_195_971_624),
    ("gn", "32", "plain", 8, 5_195_342_976),
]
INFERENCE = [
    ("bn", "bf16-mixed", 883_090_152),
    ("gn", "bf16-mixed", 1_293_925_184),
    ("bn", "32", 1_499_652_840),
    ("gn", "32", 1_499_439_936),
]


@pytest.fixture(scope="module")
def known():
    """What the plans have in common, which is most of their time."""
    return {}


@pytest.mark.parametrize(("norm", "precision", "mode", "clips", "measured"), TRAINING)
def test_a_step(norm, precision, mode, clips, measured, known):
    """What no plan counts, workspaces of kernels before all, is less than 1.5 %."""
    setting = StepSetting(norm=norm, precision=precision, memory_mode=mode)
    assert step_memory(setting, clips, known=known).peak_bytes == pytest.approx(measured, rel=0.015)


@pytest.mark.parametrize(("norm", "precision", "measured"), INFERENCE)
def test_inference(norm, precision, measured):
    """Of 8 clips: without gradients there is next to nothing else."""
    plan = ForwardPlan(StepSetting(norm=norm, precision=precision), (32, 224, 224))
    assert plan.peak_bytes(8) == pytest.approx(measured, rel=0.001)
