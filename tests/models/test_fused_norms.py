"""GroupNorm's kernels are chosen for a network, or refused; what they compute: tests/norm/test_group_norm_kernel.py."""

from __future__ import annotations

import sys

import pytest
import torch
from loss_curves import tiny
from torch import nn

from videogn.models.fused_norms import choose_group_norm

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
RIGHT = {"norm": "gn", "precision": "bf16-mixed", "layout": "channels_last"}


@pytest.fixture(autouse=True)
def _no_interpreter(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


def _changed(net):
    return [layer for layer in net.modules() if "forward" in vars(layer)]


def test_by_default_nothing_changes():
    net = tiny("gn")
    choose_group_norm("pytorch", net, CPU, norm="gn", precision="32", layout="contiguous")
    assert not _changed(net)


@pytest.mark.parametrize("norm", ["gn", "ln", "in", "ws+gn"])
def test_every_layer_computes_by_kernels_and_on_a_cpu_as_before(norm):
    pytest.importorskip("triton")
    net, clips = tiny(norm).eval(), torch.randn(1, 3, 8, 32, 32)
    wanted, names = net(clips), list(net.state_dict())
    for _ in range(2):  # a fit, then a test
        choose_group_norm("triton", net, CUDA, **{**RIGHT, "norm": norm})
    assert len(_changed(net)) == 17
    assert list(net.state_dict()) == names
    torch.testing.assert_close(net(clips), wanted)


def test_layers_without_gamma_stay():
    pytest.importorskip("triton")
    net = nn.Sequential(nn.GroupNorm(2, 4), nn.GroupNorm(2, 4, affine=False))
    choose_group_norm("triton", net, CUDA, **RIGHT)
    assert _changed(net) == [net[0]]


@pytest.mark.parametrize(
    ("norm", "device", "other", "message"),
    [
        ("bn", CUDA, {}, "takes a norm of gn, ln, in and ws\\+gn, got bn: take group_norm pytorch"),
        ("gn", CPU, {}, "takes an NVIDIA GPU, got cpu: take group_norm pytorch"),
        ("gn", CUDA, {"layout": "contiguous"}, "takes memory_format channels_last or auto, got contiguous"),
        ("gn", CUDA, {"precision": "64-true"}, "computes in 32 bits, got precision 64-true"),
        ("gn", CUDA, {"compiled": True}, "is for networks that are not compiled"),
    ],
)
def test_where_they_would_never_run_they_are_refused(norm, device, other, message):
    pytest.importorskip("triton")
    net = tiny(norm)
    with pytest.raises(ValueError, match=message):
        choose_group_norm("triton", net, device, **{**RIGHT, "norm": norm, **other})
    assert not _changed(net)


def test_without_triton(monkeypatch):
    monkeypatch.setitem(sys.modules, "triton", None)
    with pytest.raises(ValueError, match="takes the package triton, which is not installed"):
        choose_group_norm("triton", tiny("gn"), CUDA, **RIGHT)


def test_an_unknown_name():
    with pytest.raises(ValueError, match="got 'tritn'; did you mean 'triton'"):
        choose_group_norm("tritn", tiny("gn"), CUDA, **RIGHT)
