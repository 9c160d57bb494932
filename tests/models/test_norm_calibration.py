"""gamma and beta set by the outputs of a BatchNorm network, against the definition."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch
from torch import nn
from video_networks import CONVOLUTIONAL, sane, with_small_window

from videogn.models import i3d_tiny
from videogn.models.norm_calibration import calibrate_norms, layer_distances, norms_in_order, take_over
from videogn.norm import make_norm

#: (T, H, W); a pass for each of 100 norms asks for small clips.
_SIZES = {**CONVOLUTIONAL, "csn_r101": (8, 32, 32), "slowfast_r50": (8, 32, 32)}
MATCHES = ("moments", "least_squares")
#: Backbones whose norms take long to set one by one.
_HEAVY = {*CONVOLUTIONAL, "i3d_r50", "i3d_r101"} - {"r3d_18"}


def _two_layers(norm):
    """A network of two 1x1x1 convolutions with their norms, in float64, with values that are no special ones."""
    layers = [nn.Conv3d(3, 4, 1, bias=False), norm(4), nn.ReLU(), nn.Conv3d(4, 4, 1, bias=False), norm(4)]
    network = nn.Sequential(*layers).double()
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, tensor in network.named_parameters():
            tensor.copy_(torch.randn(tensor.shape, generator=generator) + 0.5 * name.endswith("weight"))
    return network


def _bn_and_gn():
    reference = _two_layers(nn.BatchNorm3d)
    for layer in (reference[1], reference[4]):
        layer.running_mean.copy_(torch.tensor([0.3, -0.2, 0.5, 0.1]))
        layer.running_var.copy_(torch.tensor([0.5, 1.5, 2.0, 0.7]))
    network = _two_layers(lambda channels: nn.GroupNorm(2, channels))
    return network, reference


def _clips(count=5, size=(2, 3, 2), seed=7):
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _defined(network, reference, clips, match):
    """gamma and beta of both layers by the definition, in loops over channels, clips and positions."""
    x = y = clips.flatten(2).numpy()  # (N, C, positions): inputs of the next layer of both networks
    found = []
    for place in (0, 3):
        weight = network[place].weight.detach().numpy()[:, :, 0, 0, 0]
        x, y = (np.einsum("oc,ncp->nop", weight, each) for each in (x, y))
        bn = reference[place + 1]
        columns = (each.detach().numpy()[:, None] for each in (bn.running_mean, bn.running_var, bn.weight, bn.bias))
        mean, variance, gamma, beta = columns
        y = gamma * (y - mean) / np.sqrt(variance + bn.eps) + beta
        h = np.empty_like(x)
        for clip in range(len(x)):
            for group in (slice(0, 2), slice(2, 4)):
                values = x[clip, group]
                h[clip, group] = (values - values.mean()) / math.sqrt(values.var() + 1e-5)
        gammas, betas = [], []
        for channel in range(4):
            pairs = [(h[n, channel, p], y[n, channel, p]) for n in range(len(x)) for p in range(x.shape[2])]
            mean_h, mean_y = (sum(pair[i] for pair in pairs) / len(pairs) for i in (0, 1))
            hh = sum((a - mean_h) ** 2 for a, _ in pairs)
            hy = sum((a - mean_h) * (b - mean_y) for a, b in pairs)
            yy = sum((b - mean_y) ** 2 for _, b in pairs)
            gammas.append(hy / hh if match == "least_squares" else math.copysign(math.sqrt(yy / hh), hy))
            betas.append(mean_y - gammas[-1] * mean_h)
        found.append((gammas, betas))
        x = np.array(gammas)[:, None] * h + np.array(betas)[:, None]
        x, y = np.maximum(x, 0), np.maximum(y, 0)
    return found


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("batch", [1, 2, 5])
def test_gamma_and_beta_are_the_defined_ones(match, batch):
    network, reference = _bn_and_gn()
    clips = _clips()
    wanted = _defined(network, reference, clips, match)
    calibrate_norms(network, reference, clips.split(batch), match=match)
    for layer, (gamma, beta) in zip((network[1], network[4]), wanted, strict=True):
        np.testing.assert_allclose(layer.weight.detach(), gamma, rtol=1e-9)
        np.testing.assert_allclose(layer.bias.detach(), beta, rtol=1e-9, atol=1e-9)


def test_moments_are_those_of_batch_norm_in_every_layer():
    """Also in float32, with a large mean."""
    network, reference = (each.float() for each in _bn_and_gn())
    clips = _clips(8).float() + 10
    calibrate_norms(network, reference, clips.split(3))
    for end in (2, 5):
        outputs = [net[:end](clips).detach().transpose(0, 1).flatten(1) for net in (network, reference)]
        for moment in (torch.mean, torch.var):
            torch.testing.assert_close(*(moment(each, 1) for each in outputs), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("match", MATCHES)
def test_what_the_norm_can_express_becomes_exact(match):
    """An affine map per channel is all that BatchNorm is in evaluation."""
    reference = sane(i3d_tiny(norm="bn"))
    network = i3d_tiny(norm="none")
    take_over(network, reference)
    clips = torch.randn(3, 3, 8, 32, 32)
    assert not torch.allclose(network.eval()(clips), reference(clips), atol=1e-2)
    calibrate_norms(network, reference, clips.split(2), match=match)
    torch.testing.assert_close(network(clips), reference(clips), rtol=1e-3, atol=1e-4)
    assert max(layer_distances(network, reference, [clips]).values()) < 1e-4


@pytest.mark.parametrize("match", MATCHES)
def test_group_norm_is_exact_where_all_clips_have_the_same_statistics(match):
    """Clips of the same values in other places."""
    network, reference = _bn_and_gn()
    values = _clips(1).flatten(2)
    clips = torch.cat([values[:, :, torch.randperm(12)] for _ in range(4)]).unflatten(2, (2, 3, 2))
    calibrate_norms(network, reference, [clips], match=match)
    torch.testing.assert_close(network(clips), reference(clips))
    assert max(layer_distances(network, reference, [clips]).values()) < 1e-9


@functools.cache
def _trained():
    """i3d_tiny with statistics of its own activations, as training leaves them. Do not change it."""
    network = sane(i3d_tiny(norm="bn", width=8)).train()
    with torch.no_grad():
        for _ in range(20):
            network(_uneven(4))
    return network.eval()


def _uneven(count):
    """Clips of other brightness and contrast each."""
    return torch.randn(count, 3, 4, 32, 32) * torch.rand(count, 1, 1, 1, 1).add(0.2) + torch.randn(count, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("norm", "match"),
    [*((norm, "moments") for norm in ("gn", "ln", "in", "ws+gn")), ("gn", "least_squares")],
)
def test_distances_fall(norm, match):
    """On other clips than those used; gamma and beta alone are changed."""
    reference, network = _trained(), i3d_tiny(norm=norm, width=8)
    take_over(network, reference)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    held_out = [_uneven(4)]
    first = layer_distances(network, reference, held_out)
    clips = _uneven(8).split(4)
    steps = []
    calibrate_norms(network, reference, clips, match=match, progress=lambda *step: steps.append(step))
    second = layer_distances(network, reference, held_out)
    assert list(second) == norms_in_order(network, reference, held_out)
    assert steps == [(number, 17) for number in range(1, 18)]
    assert sum(second.values()) < sum(first.values())
    changed = {name for name, tensor in network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"{name}.{parameter}" for name in second for parameter in ("weight", "bias")}


def test_distance_is_that_of_all_values():
    network, reference = _bn_and_gn()
    clips = _clips()
    found = layer_distances(network, reference, clips.split(2))
    for name, end in (("1", 2), ("4", 5)):
        z, y = (net[:end](clips).detach() for net in (network, reference))
        assert found[name] == pytest.approx(float((z - y).norm() / y.norm()), rel=1e-12)


def _cheap(name):
    return pytest.param(name, marks=pytest.mark.slow) if name in _HEAVY else name


@pytest.mark.parametrize("name", [_cheap(name) for name in ("i3d_r18", "i3d_r50", "i3d_r101", *CONVOLUTIONAL)])
def test_every_backbone(name):
    reference = sane(with_small_window(name, num_classes=5, norm="bn"))
    network = with_small_window(name, num_classes=5, norm="gn")
    take_over(network, reference)
    clips = [torch.randn(2, 3, *_SIZES.get(name, (8, 32, 32)))]
    before = layer_distances(network, reference, clips)
    calibrate_norms(network, reference, clips)
    after = layer_distances(network, reference, clips)
    assert len(after) == sum(type(layer) is nn.BatchNorm3d for layer in reference.modules())
    assert sum(after.values()) < sum(before.values())
    assert torch.isfinite(network(clips[0])).all()


def test_a_channel_that_never_changes_keeps_its_gamma():
    """A convolution that died: any gamma would do, and beta gives the mean."""
    network, reference = _bn_and_gn()
    with torch.no_grad():
        network[3].weight[1].zero_()
        network[4] = nn.InstanceNorm3d(4, affine=True).double()
        network[4].weight.fill_(0.7)
    clips = _clips()
    calibrate_norms(network, reference, [clips])
    assert network[4].weight[1].item() == 0.7
    assert network[4].bias[1].item() == pytest.approx(reference(clips)[:, 1].mean().item())
    assert (network[4].weight[[0, 2, 3]] != 0.7).all()


def _shared(norm):
    layer = norm(3)
    return nn.Sequential(layer, nn.ReLU(), layer)


class _Unused(nn.Module):
    def __init__(self, norm):
        super().__init__()
        self.unused, self.used = norm(3), norm(3)

    def forward(self, x):
        return self.used(x)


def test_a_norm_that_evaluation_does_not_use_stays():
    reference, network = _Unused(nn.BatchNorm3d), _Unused(lambda channels: nn.GroupNorm(1, channels))
    calibrate_norms(network, reference, [torch.randn(2, 3, 2, 4, 4)])
    assert list(layer_distances(network, reference, [torch.randn(2, 3, 2, 4, 4)])) == ["used"]
    assert torch.equal(network.unused.weight, torch.ones(3))


GN = make_norm("gn", groups=1)


@pytest.mark.parametrize(
    ("network", "reference", "message"),
    [
        (nn.Sequential(GN(3)), nn.Sequential(GN(3)), "reference has no norm with running statistics"),
        (nn.Sequential(nn.BatchNorm3d(3)), nn.Sequential(nn.BatchNorm3d(3)), "^0 is a BatchNorm3d, which has running"),
        (nn.Sequential(), nn.Sequential(nn.BatchNorm3d(3)), "the network has no 0, which is a norm"),
        (nn.Sequential(nn.ReLU()), nn.Sequential(nn.BatchNorm3d(3)), "^0 is a ReLU without gamma and beta"),
        (_shared(GN), _shared(nn.BatchNorm3d), "^0 runs 2 times in a forward pass"),
    ],
)
def test_networks_that_do_not_correspond(network, reference, message):
    for function in (calibrate_norms, layer_distances):
        with pytest.raises(ValueError, match=message):
            function(network, reference, [torch.randn(2, 3, 2, 4, 4)])


def test_clips_that_will_not_do():
    network, reference = nn.Sequential(GN(3)), nn.Sequential(nn.BatchNorm3d(3))
    with pytest.raises(ValueError, match="at least one clip, got none"):
        calibrate_norms(network, reference, [])
    with pytest.raises(ValueError, match=r"^0: the values of this layer are not finite"):
        calibrate_norms(network, reference, [torch.full((1, 3, 2, 4, 4), math.nan)])
    with pytest.raises(ValueError, match="match must be one of moments, least_squares, got 'moment'"):
        calibrate_norms(network, reference, [torch.randn(2, 3, 2, 4, 4)], match="moment")


def test_only_running_statistics_may_differ():
    with pytest.raises(ValueError, match=r"differ in more than their norms, the first difference is blocks\.6\.proj"):
        take_over(i3d_tiny(num_classes=3), i3d_tiny(num_classes=4, norm="bn"))
    network = i3d_tiny()
    network.blocks[0].pool = nn.Conv3d(1, 1, 1, bias=False)
    with pytest.raises(ValueError, match=r"differ in more than their norms, .* is blocks\.0\.pool\.weight"):
        take_over(network, i3d_tiny(norm="bn"))
