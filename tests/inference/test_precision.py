"""float32 or bfloat16: which is chosen, and what it changes."""

from __future__ import annotations

import sys

import pytest
import torch

from videogn.inference import Predictor
from videogn.inference.precision import Precision, precision_named
from videogn.models import make_model

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("capabilities", "auto"),
    [
        ({"avx512_bf16": True}, "bf16"),
        ({"amx_bf16": True, "avx512_bf16": False}, "bf16"),
        ({"avx512_bf16": False, "amx_bf16": False, "avx512_f": True}, "32"),
        ({"bf16": True}, "32"),  # of an ARM processor, on which it was not measured
        ({}, "32"),
    ],
)
def test_a_cpu_is_asked(monkeypatch, capabilities, auto):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    assert precision_named("auto", CPU).name == auto
    assert precision_named("32", CPU).name == "32"
    assert precision_named("bf16", CPU).name == "bf16"


def test_an_older_torch_cannot_be_asked(monkeypatch):
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert precision_named("auto", CPU).name == "32"


@pytest.mark.parametrize(
    ("capability", "cuda", "auto"),
    [((7, 5), "12.8", "32"), ((8, 0), "12.8", "bf16"), ((9, 0), "12.8", "bf16"), ((9, 0), None, "32")],
)
def test_a_gpu_is_asked(monkeypatch, capability, cuda, auto):
    """Without a version of CUDA it is AMD's, whose numbers mean something else."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.version, "cuda", cuda)
    assert precision_named("auto", torch.device("cuda:1")).name == auto


def test_other_devices_compute_in_float32():
    assert precision_named("auto", torch.device("mps")).name == "32"


def test_a_wrong_name():
    with pytest.raises(ValueError, match="precision must be one of auto, 32, bf16, got 'fp16'"):
        precision_named("fp16", CPU)


@pytest.mark.parametrize("norm", ["bn", "gn"])
@pytest.mark.parametrize("frames", [2, 4])
def test_bf16_is_float32_to_its_eight_bits(norm, frames):
    """A temporal extent of 2 too, at which the gradients of a CPU, though not its logits, have been NaN."""
    net = make_model("i3d_tiny", 5, norm, arch_options={"width": 8}).eval()
    clips = torch.rand(3, 3, frames, 32, 40)
    with torch.inference_mode():
        wanted = Precision("32").logits(net, clips)
        precision = Precision("bf16")
        found = precision.logits(net, clips.to(memory_format=precision.layout(CPU, norm, compiled=False)))
    assert torch.equal(wanted, net(clips))
    assert found.isfinite().all()
    assert not torch.equal(found.float(), wanted)
    torch.testing.assert_close(found.float(), wanted, atol=0.03 * float(wanted.abs().max()), rtol=0)


@pytest.mark.parametrize(
    ("device", "name", "norm", "compiled", "innermost"),
    [
        ("cpu", "bf16", "bn", False, True),
        ("cpu", "bf16", "ws+gn", False, True),
        ("cpu", "32", "bn", False, False),
        ("cuda", "bf16", "bn", False, True),
        ("cuda", "bf16", "gn", False, False),  # 23.3 ms, and 26.1 with the channels innermost (docs/computing.md)
        ("cuda", "bf16", "gn", True, True),
        ("cuda", "bf16", "frn", False, False),  # not measured
        ("cuda", "32", "bn", False, False),
    ],
)
def test_the_layout_is_that_which_was_measured_to_be_faster(device, name, norm, compiled, innermost):
    found = Precision(name).layout(torch.device(device), norm, compiled)
    assert found == (torch.channels_last_3d if innermost else torch.contiguous_format)


def test_probabilities_are_float32_from_the_softmax_on(trained, motion):
    last, path = trained / "checkpoints" / "last.ckpt", next(motion.glob("val/expand/*.mp4"))
    predictors = [
        Predictor(last, num_clips=2, precision=precision, device="cpu", time_limit=0) for precision in ("32", "bf16")
    ]
    assert [predictor.precision for predictor in predictors] == ["32", "bf16"]
    (wide,), (narrow,) = ([*predictor.predict(path)] for predictor in predictors)
    for found in (wide, narrow):
        assert found.clip_probabilities.dtype == found.probabilities.dtype == "float32"
        assert found.clip_probabilities.sum(axis=1) == pytest.approx([1, 1], abs=1e-6)  # bfloat16 could not
    assert narrow.probabilities == pytest.approx(wide.probabilities, abs=5e-3)
    assert (narrow.probabilities != wide.probabilities).any()


def test_a_network_is_compiled_if_asked(trained, motion, monkeypatch):
    """Compiling itself takes a minute, and is left out here."""
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda net, **options: compiled.append(net))
    last = trained / "checkpoints" / "last.ckpt"
    monkeypatch.setenv("CXX", sys.executable)  # any program
    predictor = Predictor(last, device="cpu", compile=True, time_limit=0)
    assert compiled == [predictor._pass.net]
    Predictor(last, device="cpu", time_limit=0)
    assert len(compiled) == 1
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(ValueError, match=r"takes a C\+\+ compiler, and no-such-compiler is not found: install it"):
        Predictor(last, device="cpu", compile=True, time_limit=0)
