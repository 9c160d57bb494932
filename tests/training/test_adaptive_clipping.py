"""Adaptive gradient clipping: its rule, timm's, and a training run that asks for it."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from videogn.models import i3d_tiny
from videogn.training.adaptive_clipping import clip_adaptively
from videogn.training.callbacks.adaptive_clipping import AdaptiveClipping
from videogn.training.optimisation import Optimisation
from videogn.training.task import VideoClassifier


def _parameter(*shape, seed=0, scale=1.0):
    generator = torch.Generator().manual_seed(seed)
    parameter = nn.Parameter(torch.randn(shape, generator=generator, dtype=torch.float64))
    # Gradients of every length, from much shorter than allowed to much longer.
    lengths = torch.logspace(-5, 2, len(parameter), dtype=torch.float64).view(-1, *[1] * (len(shape) - 1))
    parameter.grad = torch.randn(shape, generator=generator, dtype=torch.float64) * lengths * scale
    return parameter


@pytest.mark.parametrize("shape", [(7, 3, 2, 1, 3), (7, 4), (5, 2, 3, 3)])
@pytest.mark.parametrize("share", [0.01, 0.3])
def test_every_unit_is_clipped_by_its_own_weights(shape, share):
    """Filter by filter; one of them is nearly 0 and counts as 1e-3 long, another has no gradient."""
    parameter = _parameter(*shape)
    parameter.data[-1] *= 1e-9
    parameter.grad[0] = 0
    before = parameter.grad.clone()
    clip_adaptively([parameter], share)
    clipped = 0
    for weight, found, wanted in zip(parameter.detach(), parameter.grad, before, strict=True):
        length = math.sqrt(sum(float(value) ** 2 for value in weight.flatten()))
        slope = math.sqrt(sum(float(value) ** 2 for value in wanted.flatten()))
        longest = share * max(length, 1e-3)
        clipped += slope > longest
        torch.testing.assert_close(found, wanted * (longest / slope if slope > longest else 1))
    assert 0 < clipped < len(before)


@pytest.mark.parametrize("start", [0.0, 0.5, 3.0])
def test_a_gamma_is_one_unit_and_counts_as_ones_at_least(start):
    gamma = nn.Parameter(torch.full((9,), start))
    gamma.grad = torch.linspace(-1, 1, 9)
    clip_adaptively([gamma], 0.01)
    torch.testing.assert_close(gamma.grad.norm(), torch.tensor(0.01 * max(start, 1) * 3))
    torch.testing.assert_close(
        gamma.grad / gamma.grad.norm(), torch.linspace(-1, 1, 9) / torch.linspace(-1, 1, 9).norm()
    )


def test_gradients_longer_than_float16_reaches():
    """Longer than 65504, though no value is: they are clipped, and not erased."""
    weight = nn.Parameter(torch.full((2, 300), 0.1, dtype=torch.float16))
    weight.grad = torch.full((2, 300), 3e4, dtype=torch.float16)
    clip_adaptively([weight], 0.1)
    torch.testing.assert_close(weight.grad, torch.full((2, 300), 0.01, dtype=torch.float16))


def test_weights_are_clipped_as_by_timm():
    agc = pytest.importorskip("timm.utils.agc")
    shapes = [(7, 3, 2, 1, 3), (6, 4), (5, 2, 3, 3)]
    ours, theirs = ([_parameter(*shape, seed=seed) for seed, shape in enumerate(shapes)] for _ in range(2))
    ours.append(nn.Parameter(torch.ones(3, 2)))  # without a gradient
    clip_adaptively(ours, 0.01)
    agc.adaptive_clip_grad(theirs, 0.01)
    assert ours.pop().grad is None
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_numbers_that_are_not_finite_are_not_hidden():
    """What looks for them afterwards still finds them."""
    for bad in (math.nan, math.inf):
        parameter = _parameter(4, 3)
        parameter.grad[1, 1] = bad
        clip_adaptively([parameter], 0.01)
        assert not parameter.grad.isfinite().all()


# In a training run


def _asked(**settings):
    settings = VideoClassifier("i3d_tiny", class_names=["a", "b"], clip_length=4, crop_size=32, **settings).settings
    return [each.share for each in settings.callbacks("val/top1") if isinstance(each, AdaptiveClipping)]


@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ({"norm": "gn"}, []),
        ({"norm": "nf"}, [0.01]),
        ({"norm": "nf", "adaptive_clip": 0.0}, []),
        ({"norm": "nf", "adaptive_clip": 0.1}, [0.1]),
        ({"norm": "gn", "adaptive_clip": 0.02}, [0.02]),
    ],
)
def test_the_norm_asks_for_it_unless_an_option_says_otherwise(settings, shares):
    assert _asked(**settings) == shares


def test_a_wrong_share():
    with pytest.raises(ValueError, match="adaptive_clip must be >= 0, got -1"):
        Optimisation(adaptive_clip=-1)


def test_the_log_line_names_it():
    settings = Optimisation(adaptive_clip=0.01)
    optimizer = settings.make_optimizer(nn.Linear(2, 3), 4)
    assert settings.describe(optimizer, None).endswith("step schedule, adaptive gradient clipping 0.01")
    assert "clipping" not in Optimisation().describe(optimizer, None)


def test_the_weight_of_the_classifier_is_left_alone():
    """By the authors' rule; its bias, and all other parameters, are clipped."""
    net = i3d_tiny(num_classes=3, norm="nf")
    for parameter in net.parameters():
        parameter.grad = torch.full_like(parameter, 10.0)
    callback, module = AdaptiveClipping(0.01), SimpleNamespace(net=net, class_names=["a", "b", "c"])
    callback.on_train_start(None, module)
    callback.on_before_optimizer_step(None, module, None)
    same = [name for name, parameter in net.named_parameters() if (parameter.grad == 10).all()]
    assert same == ["blocks.6.proj.weight"]


@pytest.mark.parametrize("norm", ["evonorm_s0", "frn", "nf"])
def test_a_network_learns_clips_by_heart(norm):
    """Some steps on noise: the loss falls to nearly nothing, everything stays finite, the branches open."""
    torch.manual_seed(0)
    net, clips, labels = i3d_tiny(norm=norm), torch.randn(8, 3, 8, 32, 32), torch.arange(8)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(clips).flatten(1), labels)
        loss.backward()
        if norm == "nf":
            clip_adaptively([p for name, p in net.named_parameters() if name != "blocks.6.proj.weight"], 0.01)
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(8), abs=0.1)
    assert losses[-1] < 0.1
    assert all(parameter.isfinite().all() for parameter in net.parameters())
    assert float(net.blocks[1].res_blocks[0].branch2.norm_c.weight.detach().abs().max()) > 0.003
