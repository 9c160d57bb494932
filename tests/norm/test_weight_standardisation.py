"""Convolutions that standardise their weight, and which norm they go with."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
import torch
from index_sets import moments
from torch import nn
from torch.nn import functional as F

from videogn.norm import NORMS, make_norm
from videogn.norm.moving_average import CentralisedConv3d
from videogn.norm.normaliser_free import ScaledStandardisedConv3d
from videogn.norm.weight_standardisation import WeightStandardisedConv3d, standardise_weight


def test_every_filter_has_mean_0_and_variance_1():
    """(w - mu) / sqrt(var + 1e-5), over (in, t, h, w) of every output channel, one after the other."""
    weight = torch.randn(5, 3, 2, 1, 3, dtype=torch.float64) * 0.1 + 0.3
    wanted = np.empty_like(weight.numpy())
    for o in range(5):
        mean, variance = moments(weight[o].numpy())
        for k in itertools.product(range(3), range(2), range(1), range(3)):
            wanted[(o, *k)] = (float(weight[(o, *k)]) - mean) / (variance + 1e-5) ** 0.5
    np.testing.assert_allclose(standardise_weight(weight).numpy(), wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("padding_mode", ["zeros", "replicate"])
def test_the_convolution_uses_the_standardised_weight(padding_mode):
    options = {"stride": (1, 2, 1), "padding": (1, 1, 0), "bias": False, "padding_mode": padding_mode}
    layer = WeightStandardisedConv3d(3, 4, (3, 3, 1), **options).double()
    plain = nn.Conv3d(3, 4, (3, 3, 1), **options).double()
    assert list(layer.state_dict()) == list(plain.state_dict())
    plain.weight.data = standardise_weight(layer.weight.detach())
    x = torch.randn(2, 3, 3, 5, 2, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain(x))


def test_scale_and_offset_of_a_filter_do_not_matter():
    weight = torch.randn(4, 3, 1, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(
        standardise_weight(3 * weight + 2, eps=0.0), standardise_weight(weight, eps=0.0), rtol=1e-9, atol=1e-9
    )


def test_gradients():
    def run(x, weight):
        return F.conv3d(x, standardise_weight(weight))

    x = torch.randn(1, 2, 2, 2, 3, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 2, 1, 2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(run, (x, weight))


def test_bf16_autocast():
    layer, x = WeightStandardisedConv3d(3, 4, (1, 3, 3), bias=False), torch.randn(2, 3, 2, 5, 5)
    with torch.autocast("cpu", torch.bfloat16):
        y = layer(x)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), layer(x), rtol=0.02, atol=0.1)


@pytest.mark.parametrize("name", NORMS)
def test_which_norms_have_another_convolution(name):
    convolutions = {"ws+gn": WeightStandardisedConv3d, "nf": ScaledStandardisedConv3d, "mabn": CentralisedConv3d}
    assert make_norm(name).conv is convolutions.get(name, nn.Conv3d)


def test_a_norm_from_outside_asks_for_its_convolution():
    """By an attribute of its class or function; without one it gets PyTorch's."""

    class Norm(nn.Identity):
        conv = WeightStandardisedConv3d

    assert make_norm(Norm).conv is WeightStandardisedConv3d
    assert make_norm(make_norm(Norm)).conv is WeightStandardisedConv3d
    assert make_norm(nn.Identity).conv is nn.Conv3d
    partial = make_norm(functools.partial(Norm, eps=0.1), groups=2)
    assert partial.conv is WeightStandardisedConv3d
    assert partial.options == {"eps": 0.1, "groups": 2}
