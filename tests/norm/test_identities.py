"""Norms that are one another's special cases."""

from __future__ import annotations

import pytest
import torch
from index_sets import randomised
from torch import distributed
from torch.nn import functional as F

from videogn.norm import make_norm


def _pair(first, second, channels=8):
    """Two layers with the same gamma and beta; each given as (name, options)."""
    return [randomised(make_norm(name, **options)(channels)) for name, options in (first, second)]


def _check_same(first, second, x, state=False):
    """Output and gradients, and with `state` everything in the state dict."""
    results = []
    for layer in (first, second):
        leaf = x.clone().requires_grad_()
        y = layer(leaf)
        results.append([y, *torch.autograd.grad(y.pow(3).sum(), [leaf, layer.weight, layer.bias])])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    if state:
        torch.testing.assert_close(first.state_dict(), second.state_dict(), rtol=1e-12, atol=0)


def _clips(n=4):
    return torch.randn(n, 8, 3, 5, 1, dtype=torch.float64) * 3 - 2


def test_group_norm_with_one_group_is_layer_norm():
    """Also PyTorch's, over (C, T, H, W)."""
    first, second = _pair(("gn", {"groups": 1}), ("ln", {}))
    x = _clips()
    _check_same(first, second, x)
    y = F.layer_norm(x, x.shape[1:]) * first.weight[:, None, None, None] + first.bias[:, None, None, None]
    torch.testing.assert_close(first(x), y)


def test_group_norm_with_a_group_a_channel_is_instance_norm():
    first, second = _pair(("gn", {"groups": 8}), ("in", {}))
    x = _clips()
    _check_same(first, second, x)
    torch.testing.assert_close(first(x), F.instance_norm(x, weight=first.weight, bias=first.bias))


def test_batch_norm_of_one_clip_in_training_is_instance_norm():
    _check_same(*_pair(("bn", {}), ("in", {})), _clips(1))


def test_sub_batch_norm_of_one_clip_in_training_is_instance_norm():
    _check_same(*_pair(("sub_bn", {"clips": 1}), ("in", {})), _clips())


@pytest.mark.parametrize(
    ("name", "options"), [("sub_bn", {"clips": 4}), ("brn", {"r_max": 1, "d_max": 0}), ("sync_bn", {})]
)
@pytest.mark.parametrize("momentum", [0.1, None])
def test_special_cases_of_batch_norm(name, options, momentum):
    """Three steps of training with running statistics, then evaluation."""
    first, second = _pair((name, options | {"momentum": momentum}), ("bn", {"momentum": momentum}))
    for _ in range(3):
        _check_same(first, second, _clips(), state=True)
    _check_same(first.eval(), second.eval(), _clips(3), state=True)


def test_sub_batch_norm_is_batch_norm_of_every_part():
    first, second = _pair(("sub_bn", {"clips": 2}), ("bn", {}))
    x = _clips(6)
    torch.testing.assert_close(first(x), torch.cat([second(part) for part in x.split(2)]))


def test_batch_renorm_with_exact_statistics_is_batch_norm():
    """r = 1 and d = 0 where the running statistics are the batch's."""
    first, second = _pair(("brn", {}), ("bn", {}))
    x = _clips()
    first.running_mean.copy_(x.mean((0, 2, 3, 4)))
    first.running_var.copy_(x.var((0, 2, 3, 4), correction=0))
    torch.testing.assert_close(first(x), second(x))


def test_batch_channel_norm_starts_near_group_norm():
    """Without any update its first step is the identity map (mean 0, variance 1) but for eps."""
    layer = make_norm("bcn", groups=4, momentum=0.0)(8).double()
    x = _clips()
    torch.testing.assert_close(layer(x), make_norm("gn", groups=4)(8).double()(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["gn", "ln", "in", "ws+gn"])
def test_a_clip_does_not_depend_on_its_batch(name):
    layer = make_norm(name, **({"groups": 4} if "gn" in name else {}))(8)
    x = torch.randn(4, 8, 2, 5, 5)
    others = torch.cat([x[:1], 100 * torch.randn(3, 8, 2, 5, 5)])
    torch.testing.assert_close(layer(others)[0], layer(x)[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(layer(x[:1])[0], layer(x)[0], rtol=1e-6, atol=1e-6)


def test_sync_batch_norm_in_a_group_of_one_process_is_batch_norm(tmp_path):
    """PyTorch's own layer refuses the CPU there."""
    distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    try:
        _check_same(*_pair(("sync_bn", {}), ("bn", {})), _clips(), state=True)
    finally:
        distributed.destroy_process_group()
