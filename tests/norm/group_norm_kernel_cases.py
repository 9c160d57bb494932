"""GroupNorm's kernels against float64: run by test_group_norm_kernel.py, in a process whose Triton is a fresh one.

On a CPU it is Triton's interpreter that runs them, which must be switched on before Triton is imported anywhere.
"""

from __future__ import annotations

import copy
import os
import pickle

import pytest
import torch
from torch import nn

from videogn.models import i3d_tiny, make_model
from videogn.models.fused_norms import activated, choose_group_norm
from videogn.models.memory_format import lay_out
from videogn.norm import group_norm_kernels, triton_group_norm
from videogn.norm.triton_group_norm import can_add, can_normalise

DEVICE = torch.device(os.environ["KERNELS_RUN_ON"])
LAST = torch.channels_last_3d
#: Type -> largest error, in multiples of 1 plus the largest value that is right: of float32 that of sums over all
#: positions, of 16 bits half a unit of the last place, or a whole one where the interpreter cuts bfloat16 off.
TOLERANCE = {
    torch.float32: 1e-5,
    torch.bfloat16: 2**-7 if group_norm_kernels.INTERPRETED else 2**-8,
    torch.float16: 2**-11,
}


@pytest.fixture(autouse=True)
def _no_tf32(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)


@pytest.fixture(params=["at once", "in one block", "in blocks"])
def way(request, monkeypatch):
    """The kernels for groups that fit on chip, and the others with one block of positions and with several."""
    if request.param == "at once":
        monkeypatch.setattr(triton_group_norm, "_SECTOR", 0)
    else:
        monkeypatch.setattr(triton_group_norm, "_ON_CHIP", 0)
    if request.param == "in blocks":
        monkeypatch.setattr(triton_group_norm, "_TILE", 128)
        monkeypatch.setattr(triton_group_norm, "_PROGRAMS", 8)
        monkeypatch.setattr(triton_group_norm, "_STEPS", 3)
        monkeypatch.setattr(triton_group_norm, "_ENTRIES", 16)
    return request.param


def _by_definition(x, groups, weight, bias, residual=None, relu=False, eps=1e-5):
    """In the type of x."""
    grouped = x.reshape(len(x), groups, -1)
    centred = grouped - grouped.mean(2, keepdim=True)
    hat = (centred / (centred.square().mean(2, keepdim=True) + eps).sqrt()).reshape(x.shape)
    y = hat * weight[:, None, None, None] + bias[:, None, None, None]
    y = y if residual is None else y + residual
    return torch.where(y > 0, y, 0) if relu else y


def _inputs(shape, dtype, mean=0.0, residual=True):
    torch.manual_seed(0)
    channels = shape[1]
    x, other = ((torch.randn(shape) + each).to(DEVICE, dtype).contiguous(memory_format=LAST) for each in (mean, 0))
    weight, bias = torch.randn(2, channels).to(DEVICE)
    return [each.detach().requires_grad_() for each in (x, weight, bias, *([other] if residual else []))]


def _compare(leaves, groups, relu, tolerance):
    """Output and all gradients; the wanted ones are of the same numbers in float64."""
    exact = [leaf.detach().double().contiguous().requires_grad_() for leaf in leaves]
    x, weight, bias, residual = [*leaves, None][:4]
    assert can_normalise(x, weight)
    assert residual is None or can_add(x, residual)
    found = triton_group_norm.triton_group_norm(x, groups, weight, bias, residual=residual, relu=relu)
    wanted = _by_definition(exact[0], groups, exact[1], exact[2], *exact[3:], relu=relu)
    assert found.dtype == x.dtype
    assert found.is_contiguous(memory_format=LAST)
    upstream = torch.randn(found.shape).to(found)
    if relu:  # where the sign is a matter of rounding, so is the gradient
        upstream[wanted.abs() < 16 * tolerance] = 0
    gradients = torch.autograd.grad(found, leaves, upstream), torch.autograd.grad(wanted, exact, upstream.double())
    assert [each.dtype for each in gradients[0]] == [leaf.dtype for leaf in leaves]
    for one, other in zip((found, *gradients[0]), (wanted, *gradients[1]), strict=True):
        assert (one.double() - other).abs().max() <= tolerance * (1 + other.abs().max())


SHAPES = {
    "three groups of 48 channels": ((1, 48, 1, 1, 13), 3),
    "one position": ((2, 48, 1, 1, 1), 3),
    "one group": ((2, 6, 1, 5, 3), 1),
    "a group a channel": ((2, 5, 1, 3, 7), 5),
    "odd sizes": ((2, 12, 3, 1, 7), 4),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("residual", [False, True])
def test_output_and_gradients_with_relu(way, shape, residual):
    size, groups = SHAPES[shape]
    leaves = _inputs(size, torch.float32, 0.5, residual)
    _compare(leaves, groups, True, TOLERANCE[torch.float32])


@pytest.mark.parametrize("residual", [False, True])
def test_without_relu(way, residual):
    _compare(_inputs((2, 6, 1, 3, 5), torch.float32, 0.5, residual), 2, False, TOLERANCE[torch.float32])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("residual", [False, True])
def test_16_bits(way, dtype, residual):
    _compare(_inputs((2, 9, 1, 3, 7), dtype, 1.0, residual), 3, True, TOLERANCE[dtype])


def test_a_large_mean(way):
    """As far from float64 as the mean itself is in float32, whose numbers lie 0.001 apart there."""
    _compare(_inputs((2, 6, 1, 5, 7), torch.float32, 1e4, residual=False), 2, False, 1e-3)


def test_what_is_exactly_0_has_no_gradient(way):
    x, weight, bias, residual = _inputs((1, 4, 1, 3, 3), torch.float32)
    with torch.no_grad():
        weight.zero_()
        bias.copy_(torch.tensor([-1.0, 0.0, 0.0, 1.0]))
        residual.copy_((residual > 0).float())
    y = triton_group_norm.triton_group_norm(x, 2, weight, bias, relu=True)
    (gradient,) = torch.autograd.grad(y.sum(), bias)
    assert gradient.tolist() == [0, 0, 0, 9]
    y = triton_group_norm.triton_group_norm(x, 2, weight, bias, residual=residual, relu=True)
    (gradient,) = torch.autograd.grad(y.sum(), residual)
    assert torch.equal(gradient, (residual + bias[:, None, None, None] > 0).float())


def test_what_is_not_finite_is_seen(way):
    x, weight, bias, _ = _inputs((2, 4, 1, 3, 3), torch.float32)
    with torch.no_grad():
        x[0, 1, 0, 1, 1] = torch.nan
    y = triton_group_norm.triton_group_norm(x, 2, weight, bias, relu=True)
    assert y[0, :2].isnan().all()
    assert y[0, 2:].isfinite().all()
    (gradient,) = torch.autograd.grad(y.sum(), x)
    assert gradient[0, :2].isnan().all()
    assert gradient[1].isfinite().all()


def test_a_gradient_in_another_layout_and_frozen_weights():
    x, weight, bias, _ = _inputs((2, 4, 1, 3, 5), torch.float32)
    weight.requires_grad_(False)
    y = triton_group_norm.triton_group_norm(x, 2, weight, bias.detach())
    (found,) = torch.autograd.grad(y.square().mean((2, 3, 4)).sum(), x)
    (wanted,) = torch.autograd.grad(_by_definition(x, 2, weight, bias).square().mean((2, 3, 4)).sum(), x)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
    y = triton_group_norm.triton_group_norm(x, 2, weight, bias.detach())
    assert torch.equal(torch.autograd.grad(y[0].sum().expand(3).sum(), x)[0][1], torch.zeros_like(x[1]))


def test_what_the_kernels_leave_to_pytorch():
    x, weight, _, residual = _inputs((2, 4, 2, 3, 5), torch.float32)
    x, residual = x.detach(), residual.detach()
    assert can_normalise(x, weight)
    for other in (x.double(), x.contiguous(), x[:0], x[:, :, 0], x.to("meta"), nn.Parameter(x)):
        assert not can_normalise(other, weight)
    for other in (residual.half(), residual.contiguous(), residual[:1], residual.to("meta")):
        assert not can_add(x, other)


def _network(norm="gn", memory_mode="plain", **options):
    """A network whose convolutions give channels last, which those of 1x1x1 on a CPU do not always."""
    torch.manual_seed(0)
    net = make_model("i3d_tiny", 3, norm, None, {"width": 8, "memory_mode": memory_mode, **options}).to(DEVICE)
    for name, parameter in net.named_parameters():
        if "norm" in name:
            nn.init.normal_(parameter, 0.5, 0.5)
    lay_out(net, "channels_last")
    for layer in net.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_hook(lambda layer, inputs, output: output.contiguous(memory_format=LAST))
    return net


def _by_kernels(net, norm="gn"):
    choose_group_norm("triton", net, DEVICE, norm=norm, precision="32", layout="channels_last")
    return net


def _step(net):
    torch.manual_seed(1)
    clips = torch.randn(1, 3, 4, 32, 32).to(DEVICE).contiguous(memory_format=LAST)
    loss = nn.functional.cross_entropy(net(clips).flatten(1), torch.tensor([2], device=DEVICE))
    return [loss, *torch.autograd.grad(loss, list(net.parameters()))]


def _assert_close(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.fixture
def calls(monkeypatch):
    """(whether there is a sum, whether ReLU follows) of every call of the kernels, in the fewest programs."""
    monkeypatch.setattr(triton_group_norm, "_SECTOR", 0)
    seen, real = [], triton_group_norm.triton_group_norm

    def noting(*args, residual=None, relu=False, **options):
        seen.append((residual is not None, relu))
        return real(*args, residual=residual, relu=relu, **options)

    monkeypatch.setattr(triton_group_norm, "triton_group_norm", noting)
    return seen


def test_a_network_trains_alike(calls):
    """Loss and all gradients; every norm is fused with what follows it, but for those of projections."""
    net = _network()
    wanted, names = _step(net), list(net.state_dict())
    assert not calls
    assert list(_by_kernels(net).state_dict()) == names
    found = _step(net)
    assert sorted(calls) == [(False, False)] * 4 + [(False, True)] * 9 + [(True, True)] * 4
    _assert_close(found, wanted)
    calls.clear()
    _assert_close(_step(copy.deepcopy(net)), wanted)
    assert len(calls) == 17
    twin = pickle.loads(pickle.dumps(_by_kernels(i3d_tiny(width=8).to(DEVICE))))
    assert all(layer.forward.args[0] is layer for layer in twin.modules() if isinstance(layer, nn.GroupNorm))


@pytest.mark.parametrize("mode", ["stage"])
def test_memory_modes_compute_the_same(calls, mode):
    """Only plain fuses the sum, which would keep what the others compute again."""
    wanted = _step(_network(memory_mode=mode))
    found = _step(_by_kernels(_network(memory_mode=mode)))
    assert {*calls} == {(False, False), (False, True)}
    assert len(calls) > 17
    _assert_close(found, wanted)


def test_whoever_looks_at_a_layer_sees_what_it_gives(calls):
    net = _by_kernels(nn.ModuleList([nn.GroupNorm(2, 4), nn.ReLU()]).to(DEVICE))
    (x, *_), seen = _inputs((1, 4, 1, 3, 3), torch.float32), []
    activated(*net, x)
    handle = net[0].register_forward_hook(lambda layer, inputs, output: seen.append(output))
    activated(*net, x)
    handle.remove()
    activated(*net, x, x.double())
    assert calls == [(False, True), (False, False), (False, False)]
    assert seen[0].min() < 0


@pytest.mark.skipif(not group_norm_kernels.INTERPRETED, reason="compiles nothing")
def test_in_a_compiled_network_it_is_pytorchs(calls):
    net = _by_kernels(nn.Sequential(nn.GroupNorm(2, 4)).to(DEVICE))
    x = _inputs((1, 4, 1, 3, 3), torch.float32)[0]
    wanted = _by_definition(x, 2, net[0].weight, net[0].bias)
    torch.testing.assert_close(torch.compile(net, backend="eager", fullgraph=True)(x), wanted)
    assert not calls
