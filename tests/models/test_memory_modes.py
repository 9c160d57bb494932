"""Memory modes: the step of `plain` to the bit, running statistics updated once, and less memory."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from video_networks import AS_A_WHOLE

from videogn.models import MODELS, i3d_r50, i3d_tiny
from videogn.models.recompute import MEMORY_MODES, recompute
from videogn.norm import NORMS
from videogn.norm.precise_statistics import precise_statistics

MODES = [mode for mode in MEMORY_MODES if mode != "plain"]
#: The others are another test's.
WITH_ALL_MODES = [builder for name, builder in MODELS.items() if name not in AS_A_WHOLE]
#: Options under which a norm depends on its running statistics in training, or has something to get wrong.
OPTIONS = {"brn": {"r_max": 3.0, "d_max": 5.0, "warmup": 4}, "sub_bn": {"clips": 2}}
OPTIONS["mabn"] = {"window": 8, "warmup": 0, "r_warmup": 1, "decay": 0.5}


def _network(memory_mode, norm="gn", builder=i3d_tiny, **options):
    torch.manual_seed(3)
    model = builder(norm=norm, norm_options=OPTIONS.get(norm), memory_mode=memory_mode, **options)
    for name, parameter in model.named_parameters():  # the zero gammas would hide what lies behind them
        if name.endswith("norm_c.weight"):
            nn.init.constant_(parameter, 0.5)
    return model


def _step(model, seed=5, autocast=None, size=(4, 3, 8, 32, 32)):
    """Loss and gradients of one step, dropout included, and the random number after it."""
    generator = torch.Generator().manual_seed(seed)
    clips = torch.randn(size, generator=generator)
    labels = torch.arange(size[0])
    torch.manual_seed(seed)
    with torch.autocast("cpu", autocast or torch.bfloat16, enabled=autocast is not None):
        loss = nn.functional.cross_entropy(model(clips).flatten(1), labels)
    model.zero_grad()
    loss.backward()
    return [loss.detach(), torch.rand(()), *(parameter.grad for parameter in model.parameters())]


def _assert_same_bits(found, wanted):
    assert len(found) == len(wanted)
    assert all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("mode", MODES)
def test_steps_are_those_of_plain(mode, norm):
    """Three steps of SGD: losses, gradients, and everything stored, counters of batches included."""
    states = []
    for memory_mode in ("plain", mode):
        model = _network(memory_mode, norm, dropout=0.5)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        seen = []
        for seed in range(3):
            seen += [tensor.clone() for tensor in _step(model, seed)]
            optimizer.step()
        states.append(([*seen, *model.state_dict().values()], list(model.state_dict())))
    assert states[0][1] == states[1][1]
    _assert_same_bits(states[1][0], states[0][0])


@pytest.mark.parametrize("norm", ["gn", "bn"])
@pytest.mark.parametrize("mode", MODES)
def test_autocast_to_bf16(mode, norm):
    wanted, found = (_step(_network(m, norm, dropout=0.5), autocast=torch.bfloat16) for m in ("plain", mode))
    _assert_same_bits(found, wanted)


@pytest.mark.parametrize("norm", ["gn", "bn", "frozen_bn"])
@pytest.mark.parametrize("mode", MODES)
def test_gradients_in_evaluation_mode(mode, norm):
    wanted, found = (_step(_network(m, norm, dropout=0.5).eval()) for m in ("plain", mode))
    _assert_same_bits(found, wanted)


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_real_network_too(mode):
    """i3d_r50 with GN of 32 groups, on small clips."""
    size = (2, 3, 16, 64, 64)
    options = {"builder": i3d_r50, "num_classes": 5, "pool_window": (None, None, None)}
    wanted, found = (_step(_network(m, **options), size=size) for m in ("plain", mode))
    _assert_same_bits(found, wanted)


@pytest.mark.parametrize("norm", ["bn", "brn", "sync_bn", "sub_bn", "bcn", "mabn"])
@pytest.mark.parametrize("mode", MODES)
def test_running_statistics_are_updated_once(mode, norm):
    model = _network(mode, norm)
    before = dict(model.named_buffers())
    _step(model)
    after = dict(model.named_buffers())
    counts = [int(buffer) for name, buffer in after.items() if name.endswith("num_batches_tracked")]
    assert counts == [1] * 17
    assert all(after[name] is buffer for name, buffer in before.items())  # distributed training holds on to them


@pytest.mark.parametrize("mode", MODES)
def test_statistics_after_an_error_in_the_recomputation(mode):
    """The network is as it was, whatever stops the backward pass."""
    model = _network(mode, "bn")
    loss = model(torch.randn(2, 3, 8, 32, 32)).sum()
    buffers = list(model.buffers())
    broken = model.blocks[-2].res_blocks[0].branch2.norm_b.register_forward_hook(_fail)
    with pytest.raises(ArithmeticError, match="stopped"):
        loss.backward()
    broken.remove()
    assert all(one is other for one, other in zip(model.buffers(), buffers, strict=True))


def _fail(*_):
    raise ArithmeticError("stopped")


@pytest.mark.parametrize("norm", ["gn", "bn", "brn", "mabn"])
@pytest.mark.parametrize("mode", MODES)
def test_two_backward_passes_through_one_graph(mode, norm):
    """And through two graphs of one network, in the order of accumulation and in the other."""

    def gradients(memory_mode):
        model = _network(memory_mode, norm)
        generator = torch.Generator().manual_seed(1)
        first, second = (model(torch.randn(2, 3, 8, 32, 32, generator=generator)).square().mean() for _ in range(2))
        first.backward(retain_graph=True)
        second.backward()
        first.backward()
        return [parameter.grad for parameter in model.parameters()] + list(model.buffers())

    _assert_same_bits(gradients(mode), gradients("plain"))


@pytest.mark.parametrize("mode", MEMORY_MODES)
def test_precise_statistics(mode):
    """Measured without gradients, after a step and before the next."""
    results = []
    for memory_mode in ("plain", mode):
        model = _network(memory_mode, "bn")
        _step(model)
        torch.manual_seed(8)
        precise_statistics(model, [torch.randn(2, 3, 8, 32, 32) for _ in range(2)])
        results.append([*model.buffers(), *_step(model)])
    _assert_same_bits(results[1], results[0])


def test_nothing_is_recomputed_without_gradients():
    calls = []
    layer = nn.Identity()

    def function(x):
        calls.append(x)
        return x * 2

    weight = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        recompute(function, [layer], weight)
    assert len(calls) == 1
    recompute(lambda x: function(x).exp(), [layer], weight).sum().backward()
    assert len(calls) == 3


@pytest.mark.parametrize("mode", MODES)
def test_names_are_those_of_plain(mode):
    for builder in WITH_ALL_MODES:
        with torch.device("meta"):
            plain, other = builder(), builder(memory_mode=mode)
        assert list(plain.state_dict()) == list(other.state_dict())
        assert [name for name, _ in plain.named_modules()] == [name for name, _ in other.named_modules()]


@pytest.mark.parametrize("mode", MODES)
def test_a_network_can_be_copied_after_a_step(mode):
    model = _network(mode, "bn")
    _step(model)
    _assert_same_bits(_step(copy.deepcopy(model)), _step(model))


@pytest.mark.parametrize("builder", WITH_ALL_MODES)
def test_an_unknown_mode(builder):
    with pytest.raises(
        ValueError, match="memory_mode must be one of plain, lean, block, stage, got 'laen'; did you mean 'lean'"
    ):
        builder(memory_mode="laen")
