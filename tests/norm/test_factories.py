"""Norms against the definition: y = gamma (x - mu) / sqrt(var + eps) + beta, with mu and var over explicit sets."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from index_sets import group_sets, normalised, randomised

from videogn.norm import NORMS, make_norm

SHAPES = [(2, 8, 3, 4, 5), (1, 8, 1, 1, 3), (3, 8, 2, 7, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("options", "groups"),
    [
        ({"groups": 1}, 1),
        ({"groups": 2}, 2),
        ({"groups": 4}, 4),
        ({"groups": 8}, 8),
        ({"channels_per_group": 1}, 8),
        ({"channels_per_group": 2}, 4),
        ({"channels_per_group": 8}, 1),
        ({"groups": 2, "eps": 0.3}, 2),
    ],
)
def test_group_norm_is_its_definition(shape, options, groups):
    """Per sample and per group of C/G consecutive channels, over (C/G, T, H, W), biased variance."""
    layer = randomised(make_norm("gn", **options)(8))
    x = torch.randn(shape, dtype=torch.float64) * 3 + 5
    wanted = normalised(
        x.numpy(),
        group_sets(shape, groups),
        layer.weight.detach().numpy(),
        layer.bias.detach().numpy(),
        options.get("eps", 1e-5),
    )
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)


def test_group_norm_has_32_groups_by_default():
    """GN paper, section 3.1: with 64 channels, channels 0 and 1 share their statistics and 1 and 2 do not."""
    x = torch.randn(2, 64, 2, 3, 3, dtype=torch.float64)
    wanted = normalised(x.numpy(), group_sets(x.shape, 32), np.ones(64), np.zeros(64), 1e-5)
    np.testing.assert_allclose(make_norm("gn")(64).double()(x).detach().numpy(), wanted, atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 3, 3, 4, 5), (4, 3, 1, 1, 3), (1, 3, 2, 7, 1)])
def test_batch_norm_is_its_definition_in_training(shape):
    """Per channel over (N, T, H, W), biased variance, two steps running."""
    layer = randomised(make_norm("bn")(3))
    for _ in range(2):
        x = torch.randn(shape, dtype=torch.float64) * 2 - 1
        sets = [(slice(None), slice(c, c + 1)) for c in range(3)]
        wanted = normalised(x.numpy(), sets, layer.weight.detach().numpy(), layer.bias.detach().numpy(), 1e-5)
        np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("momentum", [0.1, 0.3])
def test_batch_norm_running_statistics(momentum):
    """Weight 0.1 on the newest batch, whose variance is unbiased; they start at 0 and 1."""
    layer = make_norm("bn", momentum=momentum)(2).double()
    mean, variance = np.zeros(2), np.ones(2)
    for _ in range(3):
        x = torch.randn(2, 2, 3, 2, 2, dtype=torch.float64) * 4 + 2
        layer(x)
        rows = [x[:, c].reshape(-1).tolist() for c in range(2)]
        means = np.array([sum(row) / len(row) for row in rows])
        unbiased = np.array(
            [sum((v - m) ** 2 for v in row) / (len(row) - 1) for row, m in zip(rows, means, strict=True)]
        )
        mean = (1 - momentum) * mean + momentum * means
        variance = (1 - momentum) * variance + momentum * unbiased
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), variance, rtol=1e-12)


def test_batch_norm_evaluates_with_the_running_statistics():
    layer = randomised(make_norm("bn", eps=0.01)(2)).eval()
    layer.running_mean.copy_(torch.tensor([3.0, -1.0]))
    layer.running_var.copy_(torch.tensor([4.0, 0.25]))
    x = torch.randn(2, 2, 3, 2, 2, dtype=torch.float64)
    for c, (mean, variance) in enumerate([(3.0, 4.0), (-1.0, 0.25)]):
        wanted = layer.weight[c] * (x[:, c] - mean) / (variance + 0.01) ** 0.5 + layer.bias[c]
        torch.testing.assert_close(layer(x)[:, c], wanted)
    assert layer.running_mean.tolist() == [3.0, -1.0]


def test_group_norm_of_a_clip_does_not_depend_on_its_batch_and_batch_norm_does():
    x = torch.randn(4, 8, 2, 5, 5)
    others = torch.cat([x[:1], 100 * torch.randn(3, 8, 2, 5, 5)])
    gn, bn = make_norm("gn", groups=4)(8), make_norm("bn")(8)
    torch.testing.assert_close(gn(others)[0], gn(x)[0], rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(gn(x[:1])[0], gn(x)[0], rtol=1e-6, atol=1e-6)
    assert (bn(others)[0] - bn(x)[0]).abs().max() > 0.1


def test_group_norm_is_the_same_in_training_and_evaluation_and_has_no_state():
    layer = make_norm("gn", groups=2)(4)
    x = torch.randn(2, 4, 2, 3, 3)
    assert torch.equal(layer.train()(x), layer.eval()(x))
    assert not list(layer.buffers())


#: Parameters beside gamma and beta: BatchNorm's before GroupNorm's, and the v of x sigmoid(v x).
MORE = {"bcn": ["batch_bias", "batch_weight"], "evonorm_s0": ["v"], "dyt": ["alpha"], "derf": ["alpha", "shift"]}
#: Those of a whole layer, where they start.
SCALARS = {"alpha": [0.5], "shift": [0.0]}
#: eps of the norms that have another one than 1e-5, or none.
EPS = {"frn": 1e-6, "nf": None, "none": None, "dyt": None, "derf": None}


@pytest.mark.parametrize("name", NORMS)
def test_every_norm_starts_with_gamma_1_and_beta_0_for_every_channel(name):
    layer = make_norm(name)(64)
    assert sorted(key for key, _ in layer.named_parameters()) == sorted([*MORE.get(name, []), "bias", "weight"])
    for key, parameter in layer.named_parameters():
        if key in SCALARS:
            assert parameter.tolist() == SCALARS[key]
        else:
            assert torch.equal(parameter, torch.zeros(64) if key.endswith("bias") else torch.ones(64))
    assert getattr(layer, "eps", None) == EPS.get(name, 1e-5)


@pytest.mark.parametrize(("name", "options"), [("gn", {"groups": 2}), ("gn", {"channels_per_group": 1}), ("bn", {})])
def test_gradients(name, options):
    """Analytic against numerical gradients, in float64, of input, gamma and beta."""
    layer = randomised(make_norm(name, **options)(4))
    x = torch.randn(2, 4, 2, 2, 3, dtype=torch.float64, requires_grad=True)

    def run(x, gamma, beta):
        return torch.func.functional_call(layer, {"weight": gamma, "bias": beta}, (x,))

    assert torch.autograd.gradcheck(run, (x, layer.weight, layer.bias))


@pytest.mark.parametrize(
    ("options", "channels", "numbers"),
    [
        ({"groups": 32}, 48, ("48", "32")),
        ({}, 16, ("16", "32")),
        ({"channels_per_group": 16}, 24, ("24", "16")),
        ({"channels_per_group": 16}, 8, ("8", "16")),
    ],
)
def test_channels_that_do_not_divide(options, channels, numbers):
    with pytest.raises(ValueError, match="divisible") as error:
        make_norm("gn", **options)(channels)
    assert all(number in str(error.value) for number in numbers)


@pytest.mark.parametrize("options", [{"groups": 0}, {"groups": -4}, {"channels_per_group": 0}])
def test_numbers_that_are_not_positive(options):
    with pytest.raises(ValueError, match=str(next(iter(options.values())))):
        make_norm("gn", **options)(8)


def test_groups_and_channels_per_group_exclude_one_another():
    with pytest.raises(ValueError, match=r"groups=4.*channels_per_group=2"):
        make_norm("gn", groups=4, channels_per_group=2)(8)


@pytest.mark.parametrize(
    ("name", "options", "hint"),
    [
        ("gnn", {}, "'gn'"),
        ("BN", {}, "'bn'"),
        ("gn", {"group": 8}, "'groups'"),
        ("gn", {"channel_per_group": 8}, "'channels_per_group'"),
        ("bn", {"momentun": 0.1}, "'momentum'"),
    ],
)
def test_a_mistyped_name_gets_the_nearest_valid_one(name, options, hint):
    with pytest.raises(ValueError, match=f"did you mean {hint}"):
        make_norm(name, **options)


@pytest.mark.parametrize("name", NORMS)
def test_factories_and_layers_can_be_pickled(name):
    """A factory copied into another process makes the same layers; so do options."""
    grouped = name in ("gn", "ws+gn", "bcn", "rms_gn", "evonorm_s0")
    options = {"groups": 4} if grouped else {} if EPS.get(name, 1e-5) is None else {"eps": 1e-3}
    factory = make_norm(name, **options)
    copied = pickle.loads(pickle.dumps(factory))
    assert copied == factory
    layer, other = factory(8), copied(8)
    assert repr(layer) == repr(other)
    assert layer.state_dict().keys() == other.state_dict().keys()
    x = torch.randn(2, 8, 2, 3, 3)
    assert torch.equal(pickle.loads(pickle.dumps(layer))(x), layer(x))


def test_options_are_added_to_those_of_a_factory():
    factory = make_norm(make_norm("gn", eps=0.1), groups=2)
    assert (factory.name, factory(4).num_groups, factory(4).eps) == ("gn", 2, 0.1)
    assert make_norm(factory) == factory


def test_a_class_as_a_norm():
    factory = make_norm(torch.nn.BatchNorm3d, momentum=0.3)
    assert factory(4).momentum == 0.3
    with pytest.raises(
        ValueError, match=r"norm 'BatchNorm3d' takes .*, got option 'momentun'; did you mean 'momentum'"
    ):
        make_norm(torch.nn.BatchNorm3d, momentun=0.3)


def test_an_option_of_another_norm_is_named():
    with pytest.raises(ValueError, match="'groups'"):
        make_norm("bn", groups=8)
