"""Devices by name: those that a network computes on, and one line for all others."""

from __future__ import annotations

import pytest
import torch

from videogn.system.devices import device_named


@pytest.mark.parametrize("name", ["meta", "vulkan", "hpu", "cuda:x", "cuda:-1", "cpu:1", "", "GPU", "cuda:99999"])
def test_a_name_of_none(name):
    right = "auto, cpu, cuda, or cuda:N for GPU N, from 0 on"
    with pytest.raises(ValueError, match=rf"^device '{name}' cannot be used here; it must be {right}$"):
        device_named(name)


@pytest.mark.parametrize(
    ("build", "gpus", "name", "expected"),
    [
        (None, 0, "cuda", r"this PyTorch \(.*\) was built for CPUs; take cpu, or install one for GPUs"),
        ("12.8", 0, "cuda:0", "PyTorch sees no GPU; cpu always can"),
        ("12.8", 1, "cuda:1", "its only GPU is cuda:0"),
        ("12.8", 4, "cuda:4", "its GPUs are cuda:0 to cuda:3"),
    ],
)
def test_a_gpu_that_is_not_there(monkeypatch, build, gpus, name, expected):
    monkeypatch.setattr(torch.version, "cuda", build)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(ValueError, match=rf"^device '{name}' cannot be used here: {expected}$"):
        device_named(name)


def test_the_cpu():
    assert device_named("cpu") == torch.device("cpu")
    assert device_named("auto").type in ("cpu", "cuda")
