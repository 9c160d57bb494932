"""Planned memory against known values, against what the allocator really hands out, and the modes' promises."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
import torch

from videogn.inference.precision import computes_in_bf16
from videogn.memory import StepSetting, TrainingStep, measure_step, measured, model_size, step_memory, time_step

GIB = 2**30
#: Small, but with every kind of layer; wide enough that activations weigh more than parameters.
SMALL = StepSetting(model="i3d_tiny", clip_length=16, crop=64, num_classes=8)


@functools.cache
def _planned(model="i3d_r50", frames=32, memory_mode="plain", norm="gn"):
    window = (None, 7, 7)  # the loss of several positions in time is not what is looked at
    return step_memory(
        StepSetting(model, norm, frames, memory_mode=memory_mode, arch_options={"pool_window": window}), 8
    )


@pytest.mark.parametrize(
    ("model", "frames", "norm", "gib"),
    [
        ("i3d_r50", 32, "gn", 4.49),
        ("i3d_r50", 32, "bn", 4.49),
        ("i3d_r50", 64, "gn", 8.98),
        ("i3d_r50_8x8", 32, "gn", 16.34),
        ("i3d_r50_8x8", 32, "bn", 16.34),
    ],
)
def test_known_activations(model, frames, norm, gib):
    """8 clips of 224 x 224, float32: sums over the layers' shapes, made apart from this code."""
    assert round(_planned(model, frames, norm=norm).activation_bytes / GIB, 2) == gib


@pytest.mark.parametrize(("mode", "ratio"), [("lean", 0.64), ("block", 0.42), ("stage", 0.42)])
@pytest.mark.parametrize(("model", "frames"), [("i3d_r50", 32), ("i3d_r50", 64), ("i3d_r50_8x8", 32)])
def test_memory_of_the_modes(model, frames, mode, ratio):
    """Of the activations, and of the peak with everything else."""
    plain, other = _planned(model, frames), _planned(model, frames, mode)
    assert other.activation_bytes <= ratio * plain.activation_bytes
    assert other.peak_bytes <= ratio * plain.peak_bytes


@pytest.mark.parametrize("mode", ["block", "stage"])
def test_64_frames_in_less_than_32_take_in_plain(mode):
    assert _planned(frames=64, memory_mode=mode).activation_bytes < _planned().activation_bytes
    assert _planned(frames=64, memory_mode=mode).peak_bytes < _planned().peak_bytes


#: Without arithmetic in 16 bits the kernels of convolutions unfold and convert their input, which no plan sees.
_BF16 = computes_in_bf16(torch.device("cpu"))
_needs_bf16 = pytest.mark.skipif(not _BF16, reason="needs a CPU with arithmetic in bfloat16")


@pytest.mark.parametrize("precision", ["32", pytest.param("bf16-mixed", marks=_needs_bf16)])
@pytest.mark.parametrize("norm", ["bn", "gn", "brn", "sub_bn", "ws+gn", "evonorm_s0", "frn", "nf"])
@pytest.mark.parametrize("mode", ["plain", "lean", "block", "stage"])
def test_planned_against_measured(mode, norm, precision):
    """Within 5 % of the CPU allocator's peak, temporaries inside of kernels included."""
    setting = StepSetting("i3d_tiny", norm, 16, 64, precision, mode, num_classes=8)
    planned = step_memory(setting, 4, device="cpu").peak_bytes
    assert planned == pytest.approx(measure_step(setting, 4, repeats=0).peak_bytes, rel=0.05)


@pytest.mark.parametrize(("precision", "size"), [("bf16-true", 0.5), ("64-true", 2.0)])
def test_weights_of_another_format(precision, size):
    """In float64 CPUs unfold the input of convolutions, which no plan sees: only bfloat16 is measured."""
    setting = StepSetting("i3d_tiny", "gn", 16, 64, precision, num_classes=8)
    planned, usual = (
        step_memory(each, 4, device="cpu").peak_bytes for each in (setting, replace(setting, precision="32"))
    )
    assert planned == pytest.approx(size * usual, rel=0.2)  # indices of pools have 64 bits in any
    if precision == "bf16-true" and _BF16:
        assert planned == pytest.approx(measure_step(setting, 4, repeats=0).peak_bytes, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "tolerance"), [("plain", 0.05), ("lean", 0.05), ("block", 0.08), ("stage", 0.05)])
def test_planned_against_measured_of_the_real_network(mode, tolerance):
    """In block mode the peak lies where the CPU's kernel for 3x1x1 kernels unfolds its input, which no plan sees."""
    setting = StepSetting(memory_mode=mode)
    planned = step_memory(setting, 1, device="cpu").peak_bytes
    assert planned == pytest.approx(measure_step(setting, 1, repeats=0).peak_bytes, rel=tolerance)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["32", "bf16-mixed"])
@pytest.mark.parametrize("norm", ["bn", "gn"])
@pytest.mark.parametrize("mode", ["plain", "lean", "block", "stage"])
def test_planned_against_measured_on_cuda(mode, norm, precision):
    """The real network, where rounding to the allocator's blocks does not count; workspaces of kernels do."""
    setting = StepSetting(norm=norm, precision=precision, memory_mode=mode)
    measured = measure_step(setting, 4, device="cuda", repeats=0).peak_bytes
    assert step_memory(setting, 4).peak_bytes == pytest.approx(measured, rel=0.1)


def test_what_the_peak_consists_of():
    memory = _planned()
    parameters = 4 * 28_043_472
    assert memory.at_peak["parameters"] == pytest.approx(parameters, rel=1e-3)
    assert memory.at_peak["optimizer state"] == parameters
    assert memory.at_peak["gradients"] == parameters  # Lightning clears those of the last step after the forward pass
    assert memory.at_peak["activations"] == pytest.approx(memory.activation_bytes, rel=1e-3)
    assert sum(memory.at_peak.values()) == memory.peak_bytes


def test_autocast_runs_group_norm_in_float32_on_cuda_only():
    """So that GN gains less from bf16 than BN does there; in float32 there is no difference between devices."""
    gn, bn = (StepSetting(norm=norm, precision="bf16-mixed") for norm in ("gn", "bn"))
    assert step_memory(gn, 2, device="cuda").activation_bytes > 1.5 * step_memory(bn, 2).activation_bytes
    assert step_memory(gn, 2, device="cpu").activation_bytes == pytest.approx(
        step_memory(bn, 2, device="cpu").activation_bytes, rel=0.01
    )
    assert step_memory(SMALL, 2, device="cpu").activation_bytes == step_memory(SMALL, 2).activation_bytes


@pytest.mark.parametrize(("crop", "frames", "giga"), [(224, 32, 32.830), (224, 64, 65.659), (256, 32, 42.930)])
def test_size_of_the_model(crop, frames, giga):
    parameters, multiply_adds = model_size(StepSetting(crop=crop, clip_length=frames))
    assert parameters == 28_043_472
    assert round(multiply_adds / 1e9, 3) == giga


def test_planning_leaves_nothing_behind():
    step_memory(SMALL, 2)
    assert torch.ones(2).sum().item() == 2  # real tensors are real again


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "i3d_r5"}, "arch must be one of .*, got 'i3d_r5'; did you mean 'i3d_r50'"),
        ({"precision": "16"}, "precision must be one of 32, bf16-mixed, .*got '16'"),
        ({"crop": 0}, "crop must be >= 1, got 0"),
    ],
)
def test_wrong_settings(options, words):
    with pytest.raises(ValueError, match=words):
        StepSetting(**options).build()


def test_a_batch_of_nothing():
    with pytest.raises(ValueError, match="batch_size must be >= 1, got 0"):
        TrainingStep(SMALL, 0)


@pytest.mark.parametrize("repeats", [1, 3])
def test_the_time_of_a_step_is_that_of_the_shortest(monkeypatch, repeats):
    """After one that warms up; every step is a whole one, forward, backward and update."""
    took = iter([5.0, 0.5, 2.0])
    done = []
    monkeypatch.setattr(measured, "_seconds", lambda step: (done.append("timed"), next(took))[1])
    monkeypatch.setattr(TrainingStep, "take", lambda step: done.append("warm"))
    assert time_step(SMALL, 2, repeats=repeats) == min([5.0, 0.5, 2.0][:repeats])
    assert done == ["warm", *["timed"] * repeats]


def test_a_step_takes_time_and_longer_clips_take_more():
    """Sixteen times the work, whatever else the machine does."""
    tiny = StepSetting("i3d_tiny", clip_length=4, crop=32, num_classes=8, arch_options={"width": 8})
    times = [time_step(replace(tiny, clip_length=length), 2) for length in (4, 64)]
    assert 0 < times[0] < times[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [({"device": "gpu"}, "device must be one of cpu, cuda, got 'gpu'"), ({"batch_size": 0}, "batch_size must be >= 1")],
)
def test_wrong_steps_to_time(options, words):
    with pytest.raises(ValueError, match=words):
        time_step(SMALL, **{"batch_size": 1, **options})
