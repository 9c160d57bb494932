"""Norms that say more than a layer: EvoNorm-S0, FRN with TLU, normaliser-free networks; by their definitions."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from index_sets import group_sets, moments
from small_layers import clips_like, small_layer
from torch import nn
from torch.nn import functional as F

from videogn.models.i3d import i3d_r18, i3d_tiny
from videogn.norm import NORMS, make_norm
from videogn.norm.normaliser_free import RELU_GAIN, ScaledReLU, ScaledStandardisedConv3d, scaled_standardise_weight

SHAPES = [(4, 6, 3, 1, 5), (2, 6, 1, 3, 3), (1, 6, 2, 2, 1)]


def _positions(shape):
    return itertools.product(*map(range, shape))


# EvoNorm-S0


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("options", "groups"), [({"groups": 2}, 2), ({"channels_per_group": 2}, 3), ({"eps": 0.3}, 2)])
def test_evonorm_s0_is_its_definition(shape, options, groups):
    """gamma x sigmoid(v x) / sqrt(var + eps) + beta: one position after the other."""
    if options.keys() == {"eps"}:
        options = {"groups": 2, **options}
    layer = small_layer("evonorm_s0", **{"groups": None, **options})
    x = clips_like(*shape)
    gamma, beta, v = (parameter.tolist() for parameter in (layer.weight, layer.bias, layer.v))
    wanted = np.empty(shape)
    for where in group_sets(shape, groups):
        _, variance = moments(x[where].numpy())
        for n, c in itertools.product(*(range(each.start, each.stop) for each in where)):
            for position in _positions(shape[2:]):
                value = float(x[(n, c, *position)])
                swish = value / (1 + math.exp(-v[c] * value))
                wanted[(n, c, *position)] = gamma[c] * swish / math.sqrt(variance + options.get("eps", 1e-5)) + beta[c]
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)


def test_evonorm_s0_is_timms():
    """Of images, clips of one frame."""
    layers = pytest.importorskip("timm.layers.evo_norm")
    _check_same(small_layer("evonorm_s0", groups=3), layers.EvoNorm2dS0(6, groups=3, eps=1e-5))


def test_evonorm_s0_is_affine_where_no_activation_follows():
    factory = make_norm("evonorm_s0", groups=2)
    assert isinstance(factory.activation(6), nn.Identity)
    assert type(factory.sum_activation(6)) is nn.ReLU
    x = clips_like(2, 6, 1, 3, 2)
    for layer in (factory.last(6), factory.shortcut(6)):
        assert sorted(name for name, _ in layer.named_parameters()) == ["bias", "weight"]
        assert torch.equal(layer.double()(x), x)


# FRN with TLU


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("eps", [1e-6, 0.3])
def test_frn_is_its_definition(shape, eps):
    """gamma x / sqrt(mean of x^2 + eps) + beta; then the larger one of that and tau."""
    layer, x = small_layer("frn", eps=eps), clips_like(*shape)
    unit = make_norm("frn").activation(6).double()
    nn.init.normal_(unit.tau)
    gamma, beta, tau = (parameter.tolist() for parameter in (layer.weight, layer.bias, unit.tau))
    wanted, above = np.empty(shape), np.empty(shape)
    for n, c in _positions(shape[:2]):
        values = [float(value) for value in x[n, c].flatten()]
        square = sum(value**2 for value in values) / len(values)
        for position in _positions(shape[2:]):
            value = gamma[c] * float(x[(n, c, *position)]) / math.sqrt(square + eps) + beta[c]
            wanted[(n, c, *position)], above[(n, c, *position)] = value, max(value, tau[c])
    found = layer(x)
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(unit(found).detach().numpy(), above, rtol=1e-9, atol=1e-9)


def test_frn_and_tlu_are_timms():
    layers = pytest.importorskip("timm.layers.filter_response_norm")
    factory = make_norm("frn", eps=1e-5)
    _check_same(nn.Sequential(factory(6), factory.activation(6)), layers.FilterResponseNormTlu2d(6))


def test_the_threshold_starts_at_0_and_has_a_gradient():
    unit, x = make_norm("frn").activation(6).double(), clips_like(2, 6, 2, 1, 2)
    assert torch.equal(unit(x), x.relu())
    nn.init.constant_(unit.tau, 0.7)
    assert torch.autograd.gradcheck(unit, (x.requires_grad_(),))
    unit(x).sum().backward()
    assert torch.equal(unit.tau.grad, (x < 0.7).double().sum((0, 2, 3, 4)))


def test_frn_is_followed_by_tlu_after_the_sum_too():
    """As in the ResNet-50 whose numbers docs/models.md names; the ends of the branches have none."""
    block = i3d_tiny(norm="frn").blocks[1].res_blocks[0]
    places = {name for name, layer in block.named_modules() if hasattr(layer, "tau")}
    assert places == {"activation", "branch2.act_a", "branch2.act_b"}
    assert len(block.activation.tau) == 64


# Normaliser-free networks


@pytest.mark.parametrize(("scale", "offset"), [(1.0, 0.0), (0.1, 0.3), (1e-5, 1.0)])
def test_scaled_standardised_weights_are_their_definition(scale, offset):
    """(w - mu) / sqrt(max(I var, 1e-4)) over all that makes an output, filter by filter; the last are too small."""
    weight = torch.randn(5, 3, 2, 1, 3, dtype=torch.float64) * scale + offset
    wanted = np.empty_like(weight.numpy())
    for o in range(5):
        mean, variance = moments(weight[o].numpy())
        for k in _positions((3, 2, 1, 3)):
            wanted[(o, *k)] = (float(weight[(o, *k)]) - mean) / math.sqrt(max(variance * 18, 1e-4))
    np.testing.assert_allclose(scaled_standardise_weight(weight).numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_scaled_standardised_weights_are_timms():
    """But for timm's eps, which is added to the variance of a filter; gain and bias are the layer's behind it."""
    layers = pytest.importorskip("timm.layers.std_conv")
    theirs = layers.ScaledStdConv2d(4, 6, 3, padding=1, eps=1e-12).double()
    nn.init.normal_(theirs.gain)
    conv, norm = ScaledStandardisedConv3d(4, 6, (1, 3, 3), padding=(0, 1, 1), bias=False), make_norm("nf")(6)
    ours = nn.Sequential(conv, norm).double()
    state = {"0.weight": theirs.weight[:, :, None], "1.weight": theirs.gain.flatten(), "1.bias": theirs.bias}
    ours.load_state_dict({name: tensor.detach() for name, tensor in state.items()})
    x = clips_like(2, 4, 5, 6)
    torch.testing.assert_close(ours(x[:, :, None])[:, :, 0], theirs(x), rtol=1e-8, atol=1e-8)


def test_the_gradient_of_scaled_standardised_weights():
    weight = torch.randn(3, 2, 1, 2, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(scaled_standardise_weight, (weight,))


def test_weights_that_are_standardised_once_give_the_same():
    """As a file for other programs may have them."""
    layer = ScaledStandardisedConv3d(3, 4, (3, 3, 1), stride=(1, 2, 1), padding=(1, 1, 0), bias=False)
    plain = nn.Conv3d(3, 4, (3, 3, 1), stride=(1, 2, 1), padding=(1, 1, 0), bias=False)
    norm = small_layer("nf", 4).float()
    plain.weight.data = scaled_standardise_weight(layer.weight.detach())
    x = torch.randn(2, 3, 3, 5, 2)
    torch.testing.assert_close(layer(x), plain(x))
    folded = plain.weight.data * norm.weight[:, None, None, None, None]
    torch.testing.assert_close(norm(layer(x)), F.conv3d(x, folded, norm.bias, (1, 2, 1), (1, 1, 0)))


@torch.no_grad()
def test_convolution_and_activation_keep_the_variance():
    """1 of independent inputs of variance 1, whatever their mean."""
    torch.manual_seed(0)
    assert pytest.approx((2 / (1 - 1 / math.pi)) ** 0.5, rel=1e-3) == RELU_GAIN
    x = torch.randn(8, 256, 1, 8, 8)
    for _ in range(4):
        x = ScaledReLU()(x)
        assert float(x.var()) == pytest.approx(1, abs=0.05)
        x = ScaledStandardisedConv3d(256, 256, (1, 1, 1), bias=False)(x)
        assert float(x.var()) == pytest.approx(1, abs=0.05)


@torch.no_grad()
def test_a_normaliser_free_network_starts_with_the_variance_of_its_input():
    """Behind every block, as far as it goes without the pools; with He's weights alone it dwindles or grows."""
    torch.manual_seed(0)
    x = ScaledReLU()(torch.randn(4, 64, 2, 28, 28))
    for stage in [each for each in i3d_r18(norm="nf").blocks if hasattr(each, "res_blocks")]:
        for block in stage.res_blocks:
            x = block(x)
            assert float(x.var()) == pytest.approx(1, abs=0.2)


def test_the_ends_of_normaliser_free_branches():
    """alpha = 0.2 beside the gamma of a branch, and the gain of ReLU beside that of a projection."""
    factory, x = make_norm("nf"), clips_like(2, 6, 1, 3, 2)
    for layer, scale in ((factory(6), 1), (factory.last(6), 0.2), (factory.shortcut(6), RELU_GAIN)):
        nn.init.normal_(layer.double().weight)
        nn.init.normal_(layer.bias)
        wanted = x * scale * layer.weight[:, None, None, None] + layer.bias[:, None, None, None]
        torch.testing.assert_close(layer(x), wanted)
    assert type(factory.sum_activation(6)) is nn.ReLU


# What a norm says


@pytest.mark.parametrize("name", NORMS)
def test_which_norms_need_what(name):
    factory = make_norm(name, **({"groups": 2} if name == "evonorm_s0" else {}))
    assert factory.is_layer_only == (name not in ("evonorm_s0", "frn", "nf"))
    assert factory.adaptive_clip == (0.01 if name == "nf" else 0)
    if factory.is_layer_only:
        assert type(factory.activation(64)) is type(factory.sum_activation(64)) is nn.ReLU
        assert {type(factory(64)), type(factory.last(64)), type(factory.shortcut(64))} == {type(factory(64))}


def test_a_norm_from_outside_says_what_it_needs():
    """By attributes of its class or function; a network then has its activations where ReLU would be."""

    class Norm(nn.GroupNorm):
        activation = sum_activation = staticmethod(nn.PReLU)
        adaptive_clip = 0.02

        def __init__(self, num_channels, groups=4):
            super().__init__(groups, num_channels)

        @staticmethod
        def last(num_channels, groups=4):
            return nn.GroupNorm(groups, num_channels, eps=0.5)

    factory = make_norm(Norm, groups=2)
    assert (factory.adaptive_clip, factory.is_layer_only) == (0.02, False)
    network = i3d_tiny(norm=factory)
    assert not any(isinstance(layer, nn.ReLU) for layer in network.modules())
    assert [len(layer.weight) for layer in network.modules() if isinstance(layer, nn.PReLU)][:4] == [16, 16, 16, 64]
    block = network.blocks[1].res_blocks[0]
    assert (block.branch2.norm_c.eps, block.branch1_norm.eps, block.branch2.norm_c.num_groups) == (0.5, 1e-5, 2)


def _check_same(ours, theirs):
    """A layer of clips against one of images, whose statistics are float32 always: outputs and gradients."""
    generator = torch.Generator().manual_seed(4)
    ours, theirs = ours.double(), theirs.double()
    own, named = list(ours.parameters()), dict(theirs.named_parameters())
    order = [named[name] for name in ("weight", "bias", *(name for name in ("v", "tau") if name in named))]
    for parameter, other in zip(own, order, strict=True):
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        other.data = parameter.data.clone()
    x = clips_like(3, 6, 4, 5).requires_grad_()
    found, wanted = ours(x[:, :, None])[:, :, 0], theirs(x)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    gradients = [torch.autograd.grad(y.pow(3).sum(), [x, *each]) for y, each in ((found, own), (wanted, order))]
    torch.testing.assert_close(*gradients, rtol=1e-4, atol=1e-4)
