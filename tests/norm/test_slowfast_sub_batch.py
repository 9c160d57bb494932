"""Sub-batches as in SlowFast, against its layer written in float64: a view of the batch as more channels."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from videogn.models import i3d_tiny, load_weights
from videogn.norm import make_norm
from videogn.norm.precise_statistics import batch_statistics, precise_statistics


class _SlowFast:
    """SubBatchNorm3d of SlowFast's definition in numpy: (N, C, ...) seen as (N / P, P C, ...), BatchNorm over that."""

    def __init__(self, splits, channels, eps=1e-5, momentum=0.1):
        self.splits, self.eps, self.momentum = splits, eps, momentum
        self.mean, self.var = np.zeros(splits * channels), np.ones(splits * channels)

    def train(self, x):
        seen = x.reshape(len(x) // self.splits, -1, *x.shape[2:])
        axes = (0, 2, 3, 4)
        mean, var = seen.mean(axes, keepdims=True), seen.var(axes, keepdims=True)
        count = seen[:, 0].size
        self.mean = (1 - self.momentum) * self.mean + self.momentum * mean.ravel()
        self.var = (1 - self.momentum) * self.var + self.momentum * var.ravel() * count / (count - 1)
        return ((seen - mean) / np.sqrt(var + self.eps)).reshape(x.shape)

    def aggregated(self):
        means, variances = self.mean.reshape(self.splits, -1), self.var.reshape(self.splits, -1)
        mean = means.sum(0) / self.splits
        return mean, variances.sum(0) / self.splits + ((means - mean) ** 2).sum(0) / self.splits


@pytest.mark.parametrize(("batch", "clips"), [(6, 2), (6, 3), (4, 1), (4, 4)])
def test_three_steps_and_evaluation(batch, clips):
    layer = make_norm("sub_bn", clips=clips, statistics="slowfast")(5).double()
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.normal_(layer.bias)
    gamma, beta = (p.detach().numpy()[:, None, None, None] for p in (layer.weight, layer.bias))
    wanted = _SlowFast(batch // clips, 5)
    for _ in range(3):
        x = torch.randn(batch, 5, 2, 3, 3, dtype=torch.float64) * 2 + torch.arange(batch)[:, None, None, None, None]
        found = layer(x).detach().numpy()
        np.testing.assert_allclose(found, gamma * wanted.train(x.numpy()) + beta, rtol=1e-9, atol=1e-9)
        mean, var = wanted.aggregated()
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), var, rtol=1e-9)
    x = torch.randn(3, 5, 2, 3, 3, dtype=torch.float64)
    mean, var = (value[:, None, None, None] for value in (mean, var))
    expected = gamma * (x.numpy() - mean) / np.sqrt(var + 1e-5) + beta
    np.testing.assert_allclose(layer.eval()(x).detach().numpy(), expected, rtol=1e-9)


def test_sub_batches_interleave():
    """Clips 0 and 2 share their statistics; with "average" clips 0 and 1 do."""
    x = torch.randn(4, 3, 2, 3, 3)
    other = x.clone()
    other[2] += 5
    for statistics, changed in (("slowfast", [True, False, True, False]), ("average", [False, False, True, True])):
        layer = make_norm("sub_bn", clips=2, statistics=statistics)(3)
        differs = [not torch.allclose(a, b) for a, b in zip(layer(x), layer(other), strict=True)]
        assert differs == changed


def test_gradients():
    layer = make_norm("sub_bn", clips=2, statistics="slowfast")(2).double()
    x = torch.randn(4, 2, 1, 2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, [x])


def test_another_number_of_sub_batches():
    layer = make_norm("sub_bn", clips=2, statistics="slowfast")(2)
    layer(torch.randn(4, 2, 1, 2, 2))
    with pytest.raises(ValueError, match="so far 2, got 3"):
        layer(torch.randn(6, 2, 1, 2, 2))


def test_a_checkpoint_goes_on_where_it_was():
    first = make_norm("sub_bn", clips=2, statistics="slowfast")(2)
    first(torch.randn(4, 2, 1, 2, 2))
    second = make_norm("sub_bn", clips=2, statistics="slowfast")(2)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    x = torch.randn(4, 2, 1, 2, 2)
    torch.testing.assert_close(second(x), first(x))
    torch.testing.assert_close(second.state_dict(), first.state_dict())


def test_it_starts_from_the_weights_of_batch_norm(tmp_path):
    source = i3d_tiny(norm="bn")
    source(torch.randn(2, 3, 8, 32, 32))
    torch.save(source.state_dict(), tmp_path / "bn.pth")
    model = i3d_tiny(norm="sub_bn", norm_options={"clips": 2, "statistics": "slowfast"})
    assert load_weights(model, tmp_path / "bn.pth").missing == []
    clips = torch.randn(4, 3, 8, 32, 32)
    torch.testing.assert_close(model.eval()(clips), source.eval()(clips))
    model.train()(clips)
    assert model.blocks[0].norm.split_mean.shape == (2, 16)


@pytest.mark.parametrize("mode", ["lean", "block", "stage"])
def test_memory_modes(mode):
    results = []
    for memory_mode in ("plain", mode):
        torch.manual_seed(2)
        options = {"clips": 2, "statistics": "slowfast"}
        model = i3d_tiny(norm="sub_bn", norm_options=options, memory_mode=memory_mode)
        for _ in range(2):
            torch.manual_seed(3)
            model(torch.randn(4, 3, 8, 32, 32)).square().mean().backward()
        results.append([*(p.grad for p in model.parameters()), *model.state_dict().values()])
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))


def test_an_unknown_word():
    with pytest.raises(ValueError, match="statistics must be one of average, slowfast, got 'slofast'; did you mean"):
        make_norm("sub_bn", statistics="slofast")(4)


#: Clips and scale of a training batch and of three sub-batches.
STEPS = [(4, 1.0), (2, 0.5), (2, 1.5), (2, 3.0)]


@pytest.mark.parametrize("variance", ["population", "batch"])
@pytest.mark.parametrize("trained", [0, 1])
def test_precise_statistics_are_of_single_sub_batches(trained, variance):
    """By the formulas; before any training and after it, which then goes on as it would have without."""
    layer = make_norm("sub_bn", clips=2, statistics="slowfast")(3).double()
    generator = torch.Generator().manual_seed(0)
    x, *batches = (scale * (torch.randn(n, 3, 2, 3, 2, generator=generator) + scale) for n, scale in STEPS)
    x, batches = x.double(), [batch.double() for batch in batches]
    for _ in range(trained):
        layer(x)
    layer.eval()
    untouched = copy.deepcopy(layer)
    found = precise_statistics(layer, batches, variance=variance)[""]
    means = torch.stack([batch.mean((0, 2, 3, 4)) for batch in batches])
    spread = means.var(0, correction=0) if variance == "population" else 0
    torch.testing.assert_close(layer.running_mean, means.mean(0))
    expected = torch.stack([batch.var((0, 2, 3, 4)) for batch in batches]).mean(0) + spread
    torch.testing.assert_close(layer.running_var, expected)
    torch.testing.assert_close(found.var, expected)
    assert torch.equal(layer.split_mean, untouched.split_mean)
    if trained:
        torch.testing.assert_close(layer.train()(x), untouched.train()(x), rtol=0, atol=0)
        assert torch.equal(layer.running_var, untouched.running_var)
    else:  # the first training batch divides what was measured
        layer.train().momentum = 0.0
        layer(x)
        torch.testing.assert_close(layer.split_mean, means.mean(0).expand(2, 3))
        torch.testing.assert_close(layer.split_var, expected.expand(2, 3))


def test_the_statistics_of_a_batch_leave_nothing_behind():
    layer = make_norm("sub_bn", clips=2, statistics="slowfast")(3).eval()
    before = copy.deepcopy(layer.state_dict())
    with torch.no_grad(), batch_statistics({"layer": layer}) as take:
        layer(torch.randn(8, 3, 2, 3, 2))
        take()
    assert layer.state_dict().keys() == before.keys()
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
