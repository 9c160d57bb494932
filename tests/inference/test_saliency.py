"""Where a class came from: Integrated Gradients against their definition, and what they find."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from videogn.axes import Crop, Sample
from videogn.inference import saliency
from videogn.inference.saliency import explain, pixel_shares
from videogn.models import make_model

pytest.importorskip("captum")


class Corner(nn.Module):
    """Class 1 is the brightness at the top left of the last frame, class 0 that at the bottom right."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(1, 1)

    def forward(self, x):
        corners = [x[:, :, -1, -4:, -4:], x[:, :, -1, :4, :4]]
        return torch.stack([corner.mean((1, 2, 3)) for corner in corners], 1)[..., None, None, None]


def by_definition(net, clips, number, steps=4):
    """The definition, by autograd in float64, with the points and weights of Gauss and Legendre."""
    plain = clips.mean((2, 3, 4), keepdim=True).expand_as(clips)
    shares = torch.zeros_like(clips)
    for point, weight in zip(*np.polynomial.legendre.leggauss(steps), strict=True):
        at = (plain + (1 + point) / 2 * (clips - plain)).requires_grad_()
        logits = net(at).flatten(2).mean(2)
        (logits[:, number] - logits.mean(1)).sum().backward()
        shares += weight / 2 * at.grad
    return (shares * (clips - plain)).sum(1)


@pytest.mark.parametrize("norm", ["gn", "bn"])
def test_shares_follow_the_definition(norm):
    net = make_model("i3d_tiny", 3, norm, arch_options={"width": 8}).double().eval().requires_grad_(False)
    clips = torch.randn(2, 3, 4, 32, 40, dtype=torch.float64)
    found = pixel_shares(net, clips, 1)
    torch.testing.assert_close(found, by_definition(net, clips, 1), rtol=1e-5, atol=1e-9)
    assert found.shape == (2, 4, 32, 40)


def test_shares_add_up_to_what_the_class_gains():
    """Exactly for a linear network."""
    net, clips = Corner(), torch.rand(1, 3, 4, 16, 16)
    plain = clips.mean((2, 3, 4), keepdim=True).expand_as(clips)
    gained = [(logits := net(each).flatten())[1] - logits.mean() for each in (clips, plain)]
    torch.testing.assert_close(pixel_shares(net, clips, 1).sum(), gained[0] - gained[1])


def sample(frames, clips, crops):
    return Sample(0, "a", -1, frames=torch.from_numpy(frames), clips=torch.tensor(clips), crops=crops)


def test_evidence_lies_where_the_network_looks():
    frames = np.random.default_rng(0).integers(0, 60, (6, 16, 24, 3), dtype=np.uint8)
    frames[:, :4, :4] = 250
    crops = (Crop(0, 0, 16, 24),)
    found = explain(Corner(), sample(frames, [[0, 1, 2], [3, 4, 5]], crops), 1, torch.zeros(3), torch.ones(3))
    assert found.shape == (6, 16, 24)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert not found[[0, 1, 3, 4]].any()  # only the last frame of a clip counts
    assert found[2, :4, :4].min() > 0
    assert found[2, 6:, :10].max() == 0


def test_views_that_show_a_pixel_are_averaged():
    """Two crops that overlap, and a clip that has a frame twice: as their own views one by one."""
    frames = np.random.default_rng(0).integers(0, 255, (2, 16, 20, 3), dtype=np.uint8)
    both = (Crop(0, 0, 16, 16), Crop(0, 4, 16, 16))
    arguments = (Corner(), 0, torch.full((3,), 0.4), torch.full((3,), 0.2))

    def of(clips, crops):
        net, *others = arguments
        return explain(net, sample(frames, clips, crops), *others)

    left, right = of([[0, 1]], both[:1]), of([[0, 1]], both[1:])
    shown = np.ones(20)
    shown[4:16] = 2
    np.testing.assert_allclose(of([[0, 1]], both), (left + right) / shown, atol=1e-7)
    np.testing.assert_allclose(of([[0, 1], [0, 1]], both[:1]), left, atol=1e-7)
    twice = of([[0, 1, 0, 1]], both[:1])
    np.testing.assert_allclose(twice[1], left[1] / 2, atol=1e-7)  # counts once, does not once


@pytest.mark.parametrize("arch", ["mvit_v2_s", "slowfast_r50"])
@pytest.mark.slow
def test_transformers_and_several_pathways_have_gradients_too(arch, monkeypatch):
    """At one point of the path, as at any other."""
    monkeypatch.setattr(saliency, "_STEPS", 1)
    norm, options, size = {
        "mvit_v2_s": ("ln", None, (16, 224, 224)),
        "slowfast_r50": ("bn", {"pool_window": (None, None, None)}, (8, 64, 64)),
    }[arch]
    net = make_model(arch, 5, norm, arch_options=options).eval().requires_grad_(False)
    shares = pixel_shares(net, torch.randn(1, 3, *size), 2)
    assert shares.isfinite().all()
    assert shares.abs().max() > 0
