"""Every norm of the table against the formula over explicit sets; its state; train and eval; its options."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch
from index_sets import affine, batch_sets, group_sets, moments, normalised, randomised, tensor_sets
from small_layers import OPTIONS, clips_like, small_layer, with_statistics

from videogn.norm import NORMS, make_norm
from videogn.norm.batch_renorm import BatchRenorm3d
from videogn.norm.pytorch_layers import batch_norm

SHAPES = [(4, 6, 3, 1, 5), (2, 6, 1, 3, 3)]
#: The norms that compute in training what they compute in evaluation.
SAME_IN_EVALUATION = {
    "gn",
    "ln",
    "in",
    "ws+gn",
    "rms_gn",
    "evonorm_s0",
    "frn",
    "nf",
    "dyt",
    "derf",
    "frozen_bn",
    "none",
}
#: The norms that have no buffers.
STATELESS = SAME_IN_EVALUATION - {"frozen_bn"}
#: The norms whose output for a clip depends on the rest of its batch, in training.
OVER_THE_BATCH = {"bn", "brn", "sync_bn", "sub_bn", "bcn", "mabn"}


def _numbers(layer):
    return {name: tensor.detach().clone().numpy() for name, tensor in layer.state_dict().items()}


def test_every_norm_is_classified_here():
    assert set(NORMS) == SAME_IN_EVALUATION | OVER_THE_BATCH
    assert not SAME_IN_EVALUATION & OVER_THE_BATCH


# Definitions


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ["bn", "sync_bn", "sub_bn", "gn", "ws+gn", "ln", "in"])
def test_norms_by_their_own_statistics(name, shape):
    """In training: mean and biased variance over the set that the norm's docstring states."""
    layer, x = small_layer(name), clips_like(*shape)
    sets = tensor_sets(shape, name, clips=2, groups=2)
    wanted = normalised(x.numpy(), sets, layer.weight.detach().numpy(), layer.bias.detach().numpy(), 1e-5)
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", ["bn", "sync_bn", "sub_bn", "brn", "frozen_bn"])
def test_evaluation_by_stored_statistics(name):
    layer = with_statistics(small_layer(name)).eval()
    x, numbers = clips_like(3, 6, 2, 3, 1), _numbers(layer)
    y = np.empty_like(x.numpy())
    for c in range(6):
        variance = numbers["running_var"][c] + 1e-5
        y[:, c] = (x.numpy()[:, c] - numbers["running_mean"][c]) / variance**0.5
    wanted = affine(y, numbers["weight"], numbers["bias"])
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)
    for key, tensor in _numbers(layer).items():
        np.testing.assert_array_equal(tensor, numbers[key])


@pytest.mark.parametrize(("r_max", "d_max"), [(1.5, 0.5), (1.0, 0.5), (3.0, 0.0), (100.0, 100.0)])
def test_batch_renorm_is_its_formula(r_max, d_max):
    """r and d from the running statistics before the batch; two steps, so that those have moved."""
    layer = with_statistics(small_layer("brn", r_max=r_max, d_max=d_max))
    for scale in (1, 0.05):  # wider and narrower than the running statistics: both bounds of r
        x, before = scale * clips_like(4, 6, 1, 3, 5), _numbers(layer)
        y = np.empty_like(x.numpy())
        for where in batch_sets(x.shape):
            c = where[1].start
            mean, variance = moments(x.numpy()[where])
            s_batch, s = (variance + 1e-5) ** 0.5, (before["running_var"][c] + 1e-5) ** 0.5
            r = min(max(s_batch / s, 1 / r_max), r_max)
            d = min(max((mean - before["running_mean"][c]) / s, -d_max), d_max)
            y[where] = (x.numpy()[where] - mean) / s_batch * r + d
        wanted = affine(y, before["weight"], before["bias"])
        np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)


def test_batch_renorm_without_bounds_is_evaluation():
    """Ioffe 2017, equation 1: x^ r + d is then (x - m) / s exactly."""
    layer = with_statistics(small_layer("brn", r_max=1e6, d_max=1e6))
    x = clips_like(2, 6, 2, 3, 3)
    evaluated = layer.eval()(x)
    torch.testing.assert_close(layer.train()(x), evaluated)


def test_batch_renorm_warms_up_from_batch_norm():
    """Over 4 forward passes the bounds rise linearly, from none; evaluation does not count."""
    layer = make_norm("brn", r_max=3.0, d_max=2.0, warmup=4, momentum=0.0)(2).double()
    x = 10 * clips_like(2, 2, 3, 3, 3) + 50  # far from mean 0 and variance 1: r and d lie at their bounds
    standard = make_norm("bn")(2).double()(x)
    for step in range(6):
        done = min(step / 4, 1)
        torch.testing.assert_close(layer(x), standard * (1 + 2 * done) + 2 * done)
        layer.eval()(x)
        layer.train()
    assert layer.num_batches_tracked == 6


def test_batch_channel_norm_is_its_formula():
    """The estimates take in the batch, normalise it as constants, and GroupNorm follows."""
    layer = small_layer("bcn", momentum=0.3)
    mean, variance = np.zeros(6), np.ones(6)
    for training in (True, True, False):
        x = clips_like(2, 6, 3, 1, 5)
        z = np.empty_like(x.numpy())
        for c in range(6):
            values = [float(v) for v in x[:, c].ravel()]
            if training:
                mean[c] += 0.3 * (sum(values) / len(values) - mean[c])
                variance[c] += 0.3 * (sum((v - mean[c]) ** 2 for v in values) / len(values) - variance[c])
            z[:, c] = (x.numpy()[:, c] - mean[c]) / (variance[c] + 1e-5) ** 0.5
        numbers = _numbers(layer)
        z = affine(z, numbers["batch_weight"], numbers["batch_bias"])
        wanted = normalised(z, group_sets(x.shape, 2), numbers["weight"], numbers["bias"], 1e-5)
        np.testing.assert_allclose(layer.train(training)(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(layer.running_var.numpy(), variance, rtol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("options", "groups"), [({"groups": 2}, 2), ({"channels_per_group": 2}, 3), ({"max_groups": 5}, 3)]
)
def test_rms_group_norm_divides_by_the_root_of_the_mean_square(options, groups, shape):
    layer, x = randomised(make_norm("rms_gn", **options)(6)), clips_like(*shape)
    y = np.empty_like(x.numpy())
    for where in group_sets(shape, groups):
        values = [float(v) for v in x.numpy()[where].ravel()]
        y[where] = x.numpy()[where] / (sum(v * v for v in values) / len(values) + 1e-5) ** 0.5
    wanted = affine(y, layer.weight.detach().numpy(), layer.bias.detach().numpy())
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "options"), [("dyt", {}), ("dyt", {"alpha": 2.0}), ("derf", {}), ("derf", {"alpha": 1.5, "shift": -0.3})]
)
def test_functions_of_single_values(name, options):
    """gamma tanh(alpha x) + beta and gamma erf(alpha x + shift) + beta, one number after the other."""
    layer, x = make_norm(name, **options)(6).double(), clips_like(2, 6, 1, 3, 2)
    alpha, shift = options.get("alpha", 0.5), options.get("shift", 0.0)
    for parameter in (layer.weight, layer.bias):
        parameter.data = torch.randn(6, dtype=torch.float64)
    of_one = {"dyt": lambda v: math.tanh(alpha * v), "derf": lambda v: math.erf(alpha * v + shift)}[name]
    y = np.vectorize(of_one)(x.numpy())
    wanted = affine(y, layer.weight.detach().numpy(), layer.bias.detach().numpy())
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", ["none", "nf"])
def test_no_norm_is_gamma_x_plus_beta(name):
    layer, x = small_layer(name), clips_like(2, 6, 1, 3, 2)
    wanted = affine(x.numpy(), layer.weight.detach().numpy(), layer.bias.detach().numpy())
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-12)


# Running statistics


@pytest.mark.parametrize("name", ["bn", "sync_bn", "sub_bn", "brn"])
@pytest.mark.parametrize("momentum", [0.1, 0.3, None])
def test_running_statistics(name, momentum):
    """Weight `momentum` on the newest batch (None: the plain average), unbiased variance; averaged over sub-batches."""
    layer = small_layer(name, momentum=momentum)
    mean, variance = np.zeros(6), np.ones(6)
    for step in range(3):
        x = clips_like(4, 6, 3, 1, 2)
        layer(x)
        weight = 1 / (step + 1) if momentum is None else momentum
        sets = batch_sets(x.shape, 2 if name == "sub_bn" else None)
        for c in range(6):
            found = [moments(x.numpy()[where]) for where in sets if where[1].start == c]
            n = x[sets[0]].numel()
            mean[c] += weight * (np.mean([m for m, _ in found]) - mean[c])
            variance[c] += weight * (np.mean([v for _, v in found]) * n / (n - 1) - variance[c])
    np.testing.assert_allclose(layer.running_mean.numpy(), mean, rtol=1e-12)
    np.testing.assert_allclose(layer.running_var.numpy(), variance, rtol=1e-12)
    assert layer.num_batches_tracked == 3


@pytest.mark.parametrize("name", NORMS)
def test_state_changes_in_training_only(name):
    layer, x = small_layer(name), clips_like(2, 6, 3, 2, 3)
    before = _numbers(layer)
    layer.eval()(x)
    assert all(np.array_equal(before[key], value) for key, value in _numbers(layer).items())
    layer.train()(x)
    changed = {key for key, value in _numbers(layer).items() if not np.array_equal(before[key], value)}
    mean = "recent_squares" if name == "mabn" else "running_mean"
    statistics = {mean, "running_var", "num_batches_tracked"}
    assert changed == (statistics if name in OVER_THE_BATCH else set())
    assert bool(list(layer.buffers())) == (name not in STATELESS)


@pytest.mark.parametrize("name", NORMS)
def test_state_dict_round_trip(name):
    """A second layer continues as the first, in evaluation and in training."""
    layer, x = small_layer(name), clips_like(2, 6, 3, 2, 3)
    layer(x)
    other = make_norm(name, **OPTIONS.get(name, {}))(6).double()
    other.load_state_dict(layer.state_dict())
    for training in (False, True):
        torch.testing.assert_close(other.train(training)(x), layer.train(training)(x), rtol=0, atol=0)
    assert all(torch.equal(a, b) for a, b in zip(layer.buffers(), other.buffers(), strict=True))


@pytest.mark.parametrize("name", ["sync_bn", "brn", "sub_bn", "frozen_bn"])
def test_weights_of_batch_norm_load(name):
    """And evaluate alike."""
    source, x = with_statistics(small_layer("bn")).eval(), clips_like(2, 6, 3, 2, 3)
    layer = small_layer(name).eval()
    layer.load_state_dict(source.state_dict())
    torch.testing.assert_close(layer(x), source(x))


# Training, evaluation, batches


@pytest.mark.parametrize("name", NORMS)
def test_which_norms_differ_between_training_and_evaluation(name):
    layer, x = small_layer(name), clips_like(2, 6, 3, 2, 3)
    evaluated = layer.eval()(x)
    assert torch.equal(layer.train()(x), evaluated) == (name in SAME_IN_EVALUATION)


@pytest.mark.parametrize("name", NORMS)
def test_which_norms_depend_on_the_rest_of_the_batch(name):
    x = clips_like(2, 6, 3, 2, 3)
    others = torch.cat([x[:1], 100 * torch.randn(1, 6, 3, 2, 3, dtype=torch.float64)])
    for training in (True, False):
        outputs = [small_layer(name).train(training)(batch)[0] for batch in (x, others)]
        same = torch.allclose(*outputs, rtol=1e-9, atol=1e-9)
        assert same == (not training or name not in OVER_THE_BATCH)


@pytest.mark.parametrize("name", NORMS)
def test_one_clip(name):
    """Every norm trains with a batch of one clip that has more than one position."""
    layer = small_layer(name, **({"clips": 1} if name == "sub_bn" else {}))
    x = clips_like(1, 6, 2, 3, 1).requires_grad_()
    layer(x).pow(3).sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.abs().sum() > 0 for p in [x, *layer.parameters()])


@pytest.mark.parametrize("name", NORMS)
def test_one_clip_with_one_position(name):
    """Statistics of a single value are refused; those of a group, or stored ones, are not."""
    layer = small_layer(name, **({"clips": 1} if name == "sub_bn" else {}))
    x = clips_like(1, 6, 1, 1, 1)
    if name in {"bn", "brn", "sync_bn", "sub_bn", "in"}:
        with pytest.raises(ValueError, match="more than 1 value per channel"):
            layer(x)
    else:
        assert layer(x).isfinite().all()


# Options


@pytest.mark.parametrize("name", ["gn", "ws+gn", "bcn", "rms_gn", "evonorm_s0"])
@pytest.mark.parametrize(
    ("options", "channels", "words"),
    [
        ({"groups": 4}, 6, "got 6 channels and groups=4"),
        ({}, 48, "got 48 channels and groups=32"),
        ({"channels_per_group": 4}, 6, "got 6 channels and channels_per_group=4"),
    ],
)
def test_channels_that_do_not_divide(name, options, channels, words):
    with pytest.raises(ValueError, match=words):
        make_norm(name, **options)(channels)


@pytest.mark.parametrize("batch", [1, 3, 6])
def test_a_batch_that_does_not_divide_into_sub_batches(batch):
    """In training; evaluation does not ask."""
    layer = small_layer("sub_bn", clips=4)
    with pytest.raises(ValueError, match=f"got {batch} clips in the batch and clips=4"):
        layer(clips_like(batch, 6, 2, 2, 2))
    assert layer.num_batches_tracked == 0
    layer.eval()(clips_like(batch, 6, 2, 2, 2))


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("brn", {"r_max": 0.5}, "r_max must be >= 1, got 0.5"),
        ("brn", {"d_max": -1}, "d_max must be >= 0, got -1"),
        ("brn", {"warmup": -1}, "warmup must be >= 0, got -1"),
        ("sub_bn", {"clips": 0}, "clips must be > 0, got 0"),
        ("bcn", {"groups": 0}, "groups must be > 0, got 0"),
        ("rms_gn", {"groups": 2, "max_groups": 2}, "not both"),
        ("mabn", {"window": 0}, "window must be > 0, got 0"),
        ("mabn", {"warmup": -1}, "warmup must be >= 0, got -1"),
        ("mabn", {"r_warmup": -1}, "r_warmup must be >= 0, got -1"),
        ("mabn", {"decay": 1}, "decay must be >= 0 and < 1, got 1"),
        ("gn", {"groups": 2.0}, "groups must be a whole number, got 2.0"),
        ("rms_gn", {"channels_per_group": True}, "channels_per_group must be a whole number, got True"),
        ("evonorm_s0", {"max_groups": "4"}, "max_groups must be a whole number, got '4'"),
        ("mabn", {"window": 2.5}, "window must be a whole number, got 2.5"),
        ("mabn", {"decay": "much"}, "decay must be a finite number, got 'much'"),
        ("sub_bn", {"clips": True}, "clips must be a whole number, got True"),
        ("sub_bn", {"statistics": None}, "statistics must be one of average, slowfast, got None"),
        ("brn", {"warmup": "long"}, "warmup must be a finite number, got 'long'"),
        (BatchRenorm3d, {"eps": -1.0}, "eps must be >= 0, got -1.0"),
        ("videogn.norm.batch_renorm.BatchRenorm3d", {"eps": math.nan}, "eps must be a finite number, got nan"),
        (functools.partial(batch_norm, momentum=3), {}, "momentum must be <= 1, got 3"),
        ("brn", {"r_max": math.inf}, "r_max must be a finite number, got inf"),
        ("gn", {"eps": -1e-5}, "eps must be >= 0, got -1e-05"),
        ("frn", {"eps": math.nan}, "eps must be a finite number, got nan"),
        ("bn", {"momentum": 2}, "momentum must be <= 1, got 2"),
        ("sync_bn", {"momentum": -0.1}, "momentum must be >= 0, got -0.1"),
        ("dyt", {"alpha": None}, "alpha must be a finite number, got None"),
        (None, {}, "norm must be a name, a class or a function, got None"),
        ("dyt", {"eps": 1e-3}, r"'dyt' takes alpha, got option 'eps'"),
        ("ws+gn", {"groups": 2, "channels_per_group": 2}, "not both"),
        ("evonorm_s0", {"groups": 2, "max_groups": 2}, "not both"),
        ("frn", {"groups": 2}, r"'frn' takes eps, got option 'groups'"),
        ("nf", {"eps": 1e-3}, r"'nf' takes no options, got option 'eps'"),
        ("none", {"groups": 2}, r"'none' takes no options, got option 'groups'"),
        ("ln", {"groups": 2}, r"'ln' takes eps, got option 'groups'"),
        ("ws-gn", {}, r"did you mean 'ws\+gn'"),
        ("frozenbn", {}, "did you mean 'frozen_bn'"),
    ],
)
def test_wrong_options(name, options, words):
    with pytest.raises(ValueError, match=words):
        make_norm(name, **options)(8)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("gn", {"groups": np.int64(4), "eps": np.float32(1e-3)}),
        ("bn", {"momentum": None}),
        ("sub_bn", {"momentum": None, "clips": 2}),
        ("sync_bn", {"momentum": 0}),
        ("bcn", {"momentum": 1, "groups": 2}),
        ("brn", {"warmup": 1e3}),
        ("mabn", {"warmup": 1e3, "decay": 0}),
        ("derf", {"alpha": 2, "shift": -1}),
    ],
)
def test_numbers_at_the_bounds_and_of_other_types(name, options):
    make_norm(make_norm(name), **options)(8)(torch.randn(2, 8, 2, 3, 3))


def test_a_norm_from_outside_may_have_other_options_of_these_names():
    """Also where its function has the name of one of ours."""

    def gn(num_channels, eps=None, momentum=(), alpha="no"):
        return torch.nn.GroupNorm(1, num_channels)

    make_norm(gn, eps=None, momentum=(1, 2), alpha="yes")(8)


def test_batch_renorm_has_the_papers_bounds_by_default():
    layer = make_norm("brn")(4)
    assert (layer.r_max, layer.d_max) == (1.5, 0.5)  # GN paper, section 4.1
