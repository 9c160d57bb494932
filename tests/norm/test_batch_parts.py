"""BatchNorm with statistics of parts of a batch, against BatchNorm on each part."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from videogn.models import make_model
from videogn.norm import NORMS, make_norm
from videogn.norm.batch_parts import allow_parts, set_parts


def _layers(channels=5):
    """A BatchNorm with numbers in it, and the same with parts."""
    torch.manual_seed(0)
    layer = make_norm("bn")(channels)
    for tensor in layer.state_dict().values():
        if tensor.is_floating_point():
            tensor.uniform_(0.5, 2)
    network = nn.Sequential(copy.deepcopy(layer))
    allow_parts(network)
    return layer, network


def _x(clips):
    return torch.randn(clips, 5, 2, 3, 4) * torch.arange(1, clips + 1).view(-1, 1, 1, 1, 1)


def test_one_part_is_batchnorm_to_the_bit():
    layer, network = _layers()
    x = _x(4)
    assert torch.equal(network(x), layer(x))
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), layer.state_dict().values(), strict=True)
    )
    set_parts(network, 2)
    assert torch.equal(network.eval()(x), layer.eval()(x))


@pytest.mark.parametrize("parts", [2, 4])
def test_every_part_has_its_own_statistics(parts):
    layer, network = _layers()
    set_parts(network, parts)
    x = _x(8).requires_grad_()
    copies = [copy.deepcopy(layer) for _ in range(parts)]
    expected = torch.cat([each(part) for each, part in zip(copies, x.chunk(parts), strict=True)])
    found = network(x)
    torch.testing.assert_close(found, expected)
    for name in ("running_mean", "running_var"):
        mean = torch.stack([each.get_buffer(name) for each in copies]).mean(0)
        torch.testing.assert_close(network[0].get_buffer(name), mean)
    assert network[0].num_batches_tracked == layer.num_batches_tracked + 1
    grads = [torch.autograd.grad(y.square().sum(), x)[0] for y in (found, expected)]
    torch.testing.assert_close(*grads)


def test_parts_that_do_not_divide_the_batch():
    _, network = _layers()
    set_parts(network, 3)
    with pytest.raises(ValueError, match="the batch must be divisible by 3 parts, got 4 clips"):
        network(_x(4))


@pytest.mark.parametrize("norm", sorted(NORMS))
def test_batchnorm_alone_takes_parts(norm):
    """Parameters, state and everything else stay; an optimiser made before goes on."""
    model = make_model("i3d_tiny", 3, norm, arch_options={"width": 8})
    kinds, parameters = [type(layer) for layer in model.modules()], list(model.parameters())
    state = {name: value.clone() for name, value in model.state_dict().items()}
    allow_parts(model)
    changed = {type(layer) for layer, kind in zip(model.modules(), kinds, strict=True) if type(layer) is not kind}
    assert [kind.__name__ for kind in changed] == (["PartsBatchNorm3d"] if norm == "bn" else [])
    assert all(one is other for one, other in zip(model.parameters(), parameters, strict=True))
    assert list(model.state_dict()) == list(state)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
