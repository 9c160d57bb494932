"""Evaluation with a share of the clip's own statistics."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from index_sets import affine, moments
from small_layers import clips_like, small_layer, with_statistics

from videogn.norm import make_norm
from videogn.norm.evaluation_mix import mixed_statistics
from videogn.norm.precise_statistics import tracking_layers

#: Norms that evaluate by a running mean and variance alone.
KIN = ["bn", "sync_bn", "sub_bn", "brn"]


def _evaluated(layer, x, share):
    with mixed_statistics(tracking_layers(layer), share):
        return layer.eval()(x)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("name", KIN)
def test_the_formula(name, share):
    """One clip and channel after the other."""
    layer, x = with_statistics(small_layer(name)), clips_like(3, 6, 2, 3, 1)
    y = np.empty_like(x.numpy())
    for n, c in itertools.product(range(3), range(6)):
        m, v = float(layer.running_mean[c]), float(layer.running_var[c])
        own_m, own_v = moments(x[n, c])
        mean = (1 - share) * m + share * own_m
        var = (1 - share) * v + share * own_v + share * (1 - share) * (own_m - m) ** 2
        y[n, c] = (x[n, c].numpy() - mean) / (var + 1e-5) ** 0.5
    wanted = affine(y, layer.weight.detach().numpy(), layer.bias.detach().numpy())
    np.testing.assert_allclose(_evaluated(layer, x, share).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_share_of_1_over_b_is_the_average_of_the_batches_that_a_clip_is_in(batch):
    """All batches of B of four clips, drawn with replacement: the mean, and the average biased variance."""
    clips = clips_like(4, 1, 1, 2, 3)
    drawn = {numbers: clips[list(numbers)] for numbers in itertools.product(range(4), repeat=batch)}
    layer = make_norm("bn", eps=0.25)(1).double().eval()  # torch 2.11 refuses 0
    layer.running_mean.fill_(clips.mean())
    layer.running_var.fill_(torch.stack([each.var(correction=0) for each in drawn.values()]).mean())
    with_first = [each for numbers, each in drawn.items() if numbers[0] == 0]
    mean = torch.stack([each.mean() for each in with_first]).mean()
    var = torch.stack([each.var(correction=0) for each in with_first]).mean()
    torch.testing.assert_close(_evaluated(layer, clips[:1], 1 / batch), (clips[:1] - mean) / (var + 0.25).sqrt())


def test_the_mean_square_of_a_norm_that_does_not_centre():
    layer, x = make_norm("mabn")(3).double(), clips_like(2, 3, 2, 3, 1)
    layer.running_var.fill_(2.0)
    square = 0.75 * 2 + 0.25 * x.square().mean((2, 3, 4), keepdim=True)
    torch.testing.assert_close(_evaluated(layer, x, 0.25), x / (square + 1e-5).sqrt())


def test_a_share_of_0_is_plain_evaluation_and_of_1_instance_norm():
    layer, x = with_statistics(small_layer("bn")), clips_like(2, 6, 2, 3, 3)
    torch.testing.assert_close(_evaluated(layer, x, 0.0), layer.eval()(x))
    own = make_norm("in")(6).double()
    own.load_state_dict(layer.state_dict(), strict=False)
    torch.testing.assert_close(_evaluated(layer, x, 1.0), own(x))


def test_training_and_what_is_stored_stay():
    layer, other = with_statistics(small_layer("bn")), with_statistics(small_layer("bn"))
    x = clips_like(2, 6, 2, 3, 3)
    with mixed_statistics(tracking_layers(layer), 0.5):
        layer.eval()(x)
        assert torch.equal(layer.train()(x), other.train()(x))
    assert all(torch.equal(one, two) for one, two in zip(layer.buffers(), other.buffers(), strict=True))
    assert torch.equal(layer.eval()(x), other.eval()(x))  # outside


def test_half_precision():
    layer = with_statistics(small_layer("bn")).float()
    x = (torch.randn(2, 6, 2, 8, 8) + 30).bfloat16()
    found = _evaluated(layer, x, 0.5)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), _evaluated(layer, x.float(), 0.5), rtol=0.05, atol=0.3)


@pytest.mark.parametrize("share", [-0.1, 1.5])
def test_what_is_no_share(share):
    with pytest.raises(ValueError, match=f"share must be from 0 to 1, got {share}"), mixed_statistics({}, share):
        pass
