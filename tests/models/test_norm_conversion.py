"""Replacing the norms of networks that exist."""

from __future__ import annotations

import pickle

import pytest
import timm
import torch
import torchvision
from image_networks import bn_network, randomised
from torch import nn
from torchvision.models import video

from videogn.models import convert_norm, i3d_tiny
from videogn.norm import NORMS, make_norm
from videogn.norm.moving_average import CentralisedConv3d
from videogn.norm.weight_standardisation import WeightStandardisedConv3d

#: Norms that are layers only; the others need more than a layer's place.
LAYERS = [norm for norm in NORMS if norm not in ("evonorm_s0", "frn", "nf")]
#: Norms that evaluate as BatchNorm with the same statistics.
KIN = ["bn", "sync_bn", "frozen_bn", "brn", "sub_bn"]
#: Norms with a convolution of their own.
OF_3D = ["ws+gn", "mabn"]


def _network():
    """Other eps and momentum than the default, a shared layer, nesting."""
    norm = nn.BatchNorm3d(6, eps=1e-2, momentum=0.3)
    inner = nn.Sequential(nn.Conv3d(6, 6, 1, bias=False), norm, nn.ReLU(), nn.Conv3d(6, 6, 1, bias=False), norm)
    network = nn.Sequential(nn.Conv3d(3, 6, 3, bias=False), nn.BatchNorm3d(6, eps=1e-2), inner, nn.Conv3d(6, 2, 1))
    return randomised(network)


@pytest.mark.parametrize("norm", KIN)
def test_the_kin_of_batch_norm_computes_the_same(norm):
    """eps comes along."""
    network = _network()
    x = torch.randn(2, 3, 4, 5, 5)
    wanted = network(x)
    converted = convert_norm(network, norm)
    assert converted is network
    torch.testing.assert_close(converted(x), wanted)


@pytest.mark.parametrize("norm", LAYERS)
def test_gamma_and_beta_are_kept(norm):
    network = _network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    after = convert_norm(network, norm).state_dict()
    for name in ("1.weight", "1.bias", "2.1.weight", "2.1.bias", "0.weight", "2.0.weight", "3.bias"):
        assert torch.equal(after[name], before[name])
    assert ("1.running_mean" in after) == (norm in (*KIN, "bcn"))
    assert network[2][1] is network[2][4]  # shared as before
    assert type(network[3]) is nn.Conv3d  # the classifier


@pytest.mark.parametrize("norm", LAYERS)
@pytest.mark.parametrize("back", ["bn", "gn"])
def test_every_norm_can_be_replaced_again(norm, back):
    network = convert_norm(convert_norm(_network(), norm), back)
    kinds = {type(layer) for layer in network.modules()}
    assert {nn.BatchNorm3d, nn.GroupNorm} & kinds == {nn.BatchNorm3d if back == "bn" else nn.GroupNorm}
    assert not {WeightStandardisedConv3d, CentralisedConv3d} & kinds
    network(torch.randn(1, 3, 4, 5, 5))


@pytest.mark.parametrize(("old", "norm"), [("bn", "mabn"), ("mabn", "bn"), ("mabn", "brn")])
def test_statistics_of_another_kind_are_not_kept(old, norm):
    """mabn's is a mean square, and its count says how full its window is."""
    network = convert_norm(_network(), old).train()
    network(torch.randn(2, 3, 4, 5, 5))
    layer = convert_norm(network, norm)[1]
    assert (layer.running_var == 1).all()
    assert layer.num_batches_tracked == 0


def test_mode_dtype_and_trainability_are_kept():
    network = _network().double().train()
    network[1].eval()
    network[1].weight.requires_grad_(False)
    network.to(memory_format=torch.channels_last_3d)
    strides = network[0].weight.stride()
    convert_norm(network, make_norm("ws+gn", groups=3))
    assert (network[1].training, network[2][1].training) == (False, True)
    assert (network[1].weight.requires_grad, network[1].bias.requires_grad) == (False, True)
    assert network[1].weight.dtype == torch.float64
    assert network[0].weight.stride() == strides
    assert network(torch.randn(1, 3, 4, 5, 5, dtype=torch.float64)).dtype == torch.float64


def test_device():
    with torch.device("meta"):
        network = nn.Sequential(nn.Conv3d(3, 8, 1), nn.BatchNorm3d(8))
    convert_norm(network, "gn")
    assert network[1].weight.device.type == "meta"


def test_options_of_the_factory_go_first():
    network = convert_norm(_network(), make_norm("brn", eps=0.5))
    assert (network[1].eps, network[2][1].eps) == (0.5, 0.5)
    assert network[2][1].momentum == 0.3


@pytest.mark.parametrize(("channels", "groups"), [(64, 32), (45, 15), (83, 1), (24, 24), (230, 23)])
def test_as_many_groups_as_divide_the_channels(channels, groups):
    assert convert_norm(nn.BatchNorm3d(channels), "gn").num_groups == groups
    assert convert_norm(nn.BatchNorm3d(channels), make_norm("gn", channels_per_group=channels)).num_groups == 1


def test_a_factory_is_any_function():
    network = convert_norm(_network(), lambda channels: nn.GroupNorm(2, channels))
    assert network[1].num_groups == 2


@pytest.mark.parametrize("norm", LAYERS)
def test_a_2d_network(norm):
    """Except for norms with convolutions of their own, which are 3D."""
    network = bn_network()
    images = torch.randn(2, 3, 64, 64)
    if norm in OF_3D:
        with pytest.raises(ValueError, match="goes with 3D convolutions"):
            convert_norm(network, norm)
        return
    wanted = network(images)
    found = convert_norm(network, norm)(images)
    if norm in KIN:
        torch.testing.assert_close(found, wanted)
    network.train()(images).sum().backward()


@pytest.mark.parametrize("norm", LAYERS)
def test_one_dimensional_features(norm):
    if norm not in OF_3D:
        network = convert_norm(nn.Sequential(nn.Conv1d(3, 8, 3), nn.BatchNorm1d(8)), norm)
        assert network(torch.randn(4, 3, 9)).shape == (4, 8, 7)


def test_a_refusal_changes_nothing():
    network = video.r2plus1d_18()
    with pytest.raises(ValueError, match=r"^stem\.1: channels must be divisible by groups, got 45"):
        convert_norm(network, make_norm("gn", groups=32))
    assert sum(type(layer) is nn.BatchNorm3d for layer in network.modules()) == 37


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: torchvision.models.vit_b_16(), "VisionTransformer has no BatchNorm"),
        (lambda: nn.Conv3d(3, 4, 1), "Conv3d has no BatchNorm"),
        (lambda: timm.create_model("mobilenetv3_small_050"), "BatchNormAct2d, which does more than to normalise"),
    ],
)
def test_networks_without_a_layer_to_replace(make, message):
    with pytest.raises(ValueError, match=message):
        convert_norm(make(), "gn")


@pytest.mark.parametrize("norm", [norm for norm in NORMS if norm not in LAYERS])
def test_norms_that_need_more_than_a_layers_place(norm):
    """Neither in, nor out again: the activations of the network would be another norm's."""
    network = _network()
    with pytest.raises(ValueError, match=f"^norm '{norm}' has an activation or ends of branches of its own, so"):
        convert_norm(network, norm)
    assert type(network[1]) is nn.BatchNorm3d
    with pytest.raises(ValueError, match=r"^blocks\.0\.norm is a \w+, which does more than to normalise"):
        convert_norm(i3d_tiny(norm=norm), "gn")


def test_one_of_our_own_networks():
    network = i3d_tiny(norm="bn")
    wanted = {name for name, _ in i3d_tiny(norm="gn").named_parameters()}
    assert {name for name, _ in convert_norm(network, make_norm("gn", groups=4)).named_parameters()} == wanted
    pickle.dumps(network)
