"""Channels innermost or outermost in memory: the same training run, the same network."""

from __future__ import annotations

import functools

import pytest
import torch
from loss_curves import MODES, STEPS, assert_same_curves, curve, plain_curve, tiny
from torch import nn

from videogn.models.memory_format import format_of_clips, lay_out, layout_for

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


#: 50 steps with bn, of which GN's take twice as long here.
_STEPS = {"bn": STEPS, "gn": 10}


def _run(norm, **options):
    return curve(tiny(norm), steps=_STEPS[norm], **options)


@pytest.mark.parametrize("norm", ["gn", "bn"])
def test_channels_last_trains_alike(norm):
    assert_same_curves(_run(norm, layout="channels_last"), plain_curve(norm, steps=_STEPS[norm]))


@functools.cache
def _in_channels_last(norm, mode):
    return curve(tiny(norm, mode), layout="channels_last")


@pytest.mark.slow
@pytest.mark.parametrize("norm", ["gn", "bn"])
@pytest.mark.parametrize("mode", MODES[1:])
def test_channels_last_in_every_memory_mode(norm, mode):
    assert_same_curves(_in_channels_last(norm, mode), _in_channels_last(norm, "plain"), exact=True)


@pytest.mark.parametrize("norm", ["gn", "bn"])
def test_64_bits_train_as_32_do(norm):
    assert_same_curves(_run(norm, dtype=torch.float64), plain_curve(norm, steps=_STEPS[norm]))


def test_activations_take_the_layout_over():
    net = tiny("gn")
    lay_out(net, "channels_last")
    formats = []
    for layer in net.modules():
        if isinstance(layer, nn.Conv3d | nn.ReLU | nn.GroupNorm):
            layer.register_forward_hook(lambda _, __, out: formats.append(out))
    # Of fewer than 16 clips and on one thread, torch's 1x1x1 convolutions in 32 bits give contiguous results on a CPU.
    net(torch.randn(16, 3, 8, 32, 32).contiguous(memory_format=torch.channels_last_3d))
    # What has one position, or one channel, has both layouts.
    outputs = [out for out in formats if min(out.shape[1:]) > 1]
    assert len(outputs) > 20
    assert all(out.is_contiguous(memory_format=torch.channels_last_3d) for out in outputs)


def test_the_network_stays_what_it_is():
    net = nn.Sequential(nn.Conv3d(3, 4, 3), nn.Conv2d(4, 5, 3), nn.Linear(5, 6), nn.BatchNorm3d(4))
    parameters, before = list(net.parameters()), {name: each.clone() for name, each in net.state_dict().items()}
    lay_out(net, "channels_last")
    assert net[0].weight.is_contiguous(memory_format=torch.channels_last_3d)
    assert net[1].weight.is_contiguous(memory_format=torch.channels_last)
    assert all(one is other for one, other in zip(net.parameters(), parameters, strict=True))
    lay_out(net, "contiguous")
    assert all(parameter.is_contiguous() for parameter in parameters)
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)


@pytest.mark.parametrize(
    ("name", "device", "precision", "norm", "training", "layout"),
    [
        ("auto", CPU, "bf16-mixed", "bn", True, "channels_last"),
        ("auto", CPU, "bf16-mixed", "gn", True, "contiguous"),
        ("auto", CPU, "bf16", "gn", False, "channels_last"),
        ("auto", CPU, "32-true", "bn", True, "contiguous"),
        ("auto", CUDA, "bf16-mixed", "bn", True, "channels_last"),
        ("auto", CUDA, "32-true", "bn", False, "channels_last"),
        ("auto", CUDA, "bf16-mixed", "gn", True, "contiguous"),
        ("auto", CUDA, "32-true", "gn", False, "contiguous"),
        ("auto", CUDA, "bf16-mixed", "ln", True, "contiguous"),  # nothing was measured
        ("auto", CPU, "bf16-mixed", "my_norms:Norm", True, "contiguous"),
        ("channels_last", CUDA, "32-true", "gn", True, "channels_last"),
        ("contiguous", CPU, "bf16-mixed", "bn", True, "contiguous"),
    ],
)
def test_auto_goes_by_what_was_measured(name, device, precision, norm, training, layout):
    assert layout_for(name, device, precision, norm, training=training) == layout


@pytest.mark.parametrize(
    ("device", "precision", "norm", "layout"),
    [
        (CUDA, "bf16-mixed", "gn", "channels_last"),
        (CUDA, "bf16-mixed", "bn", "channels_last"),
        (CUDA, "32-true", "gn", "contiguous"),
        (CPU, "bf16-mixed", "gn", "contiguous"),
        (CPU, "bf16-mixed", "bn", "channels_last"),
    ],
)
def test_auto_of_compiled_networks(device, precision, norm, layout):
    assert layout_for("auto", device, precision, norm, training=True, compiled=True) == layout


@pytest.mark.parametrize(("name", "layout"), [("auto", "channels_last"), ("contiguous", "contiguous")])
def test_group_norms_kernels_take_channels_last_unless_told_otherwise(name, layout):
    assert layout_for(name, CUDA, "bf16-mixed", "gn", training=True, group_norm="triton") == layout


def test_an_unknown_layout():
    with pytest.raises(ValueError, match="got 'channel_last'; did you mean 'channels_last'"):
        layout_for("channel_last", CPU, "32", "gn", training=True)


def test_names_of_torch():
    assert format_of_clips("channels_last") is torch.channels_last_3d
    assert format_of_clips("contiguous") is torch.contiguous_format
