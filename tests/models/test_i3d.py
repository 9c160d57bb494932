"""The networks against the published facts, pytorchvideo's own model, and the initialisation that they promise."""

from __future__ import annotations

import functools
import math
import re

import pytest
import torch
from pytorchvideo.models.hub import i3d_r50 as hub_i3d_r50
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from videogn.models import MODELS, i3d_r50, i3d_r50_8x8, i3d_tiny
from videogn.models.i3d import i3d_r50_8x8_unpadded
from videogn.norm import NORMS

STAGES = ("stem", "res2", "pool2", "res3", "res4", "res5", "head")


@functools.cache
def _on_meta(builder=i3d_r50, **options):
    """A network of shapes without numbers."""
    with torch.device("meta"):
        return builder(**options).eval()


def _clips(*shape):
    return torch.empty(1, 3, *shape, device="meta")


@pytest.fixture(scope="module")
def r50():
    torch.manual_seed(0)
    return i3d_r50()


def _norms(model):
    return {name: module for name, module in model.named_modules() if re.search(r"norm(_[abc])?$", name)}


def _convolutions(model):
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.Conv3d)}


# Published facts


@pytest.mark.parametrize("norm", ["bn", "gn"])
@pytest.mark.parametrize("builder", [i3d_r50, i3d_r50_8x8])
def test_parameters(builder, norm):
    model = _on_meta(builder, norm=norm)
    assert sum(parameter.numel() for parameter in model.parameters()) == 28_043_472
    assert len(_norms(model)) == 53
    assert len(_convolutions(model)) == 53


@pytest.mark.parametrize(
    ("frames", "sizes"),
    [
        (
            32,
            {
                "conv1": (64, 16, 112, 112),
                "stem": (64, 8, 55, 55),
                "res2": (256, 8, 55, 55),
                "pool2": (256, 4, 55, 55),
                "res3": (512, 4, 28, 28),
                "res4": (1024, 4, 14, 14),
                "res5": (2048, 4, 7, 7),
                "head": (400, 1, 1, 1),
            },
        ),
        (
            64,
            {
                "conv1": (64, 32, 112, 112),
                "stem": (64, 16, 55, 55),
                "res2": (256, 16, 55, 55),
                "pool2": (256, 8, 55, 55),
                "res3": (512, 8, 28, 28),
                "res4": (1024, 8, 14, 14),
                "res5": (2048, 8, 7, 7),
                "head": (400, 1, 1, 1),
            },
        ),
    ],
)
def test_output_size_of_every_stage(frames, sizes):
    """The table of the Non-local paper's baseline in its released form."""
    model = _on_meta()
    seen = {}
    layers = dict(zip(STAGES, model.blocks, strict=True)) | {"conv1": model.blocks[0].conv}
    hooks = [
        layer.register_forward_hook(lambda _, __, out, name=name: seen.update({name: tuple(out.shape[1:])}))
        for name, layer in layers.items()
    ]
    model(_clips(frames, 224, 224))
    for hook in hooks:
        hook.remove()
    assert seen == sizes


@pytest.mark.parametrize(
    ("builder", "shape", "giga"),
    [
        (i3d_r50, (32, 224, 224), 32.830),
        (i3d_r50, (64, 224, 224), 65.659),
        (i3d_r50, (32, 256, 256), 42.930),
        (i3d_r50_8x8, (8, 256, 256), 37.106),
        (i3d_r50_8x8_unpadded, (8, 256, 256), 36.765),
    ],
)
def test_multiply_adds(builder, shape, giga):
    """Convolutions and classifier, counted by torch (two operations a multiply-add), to 3 decimals."""
    with FlopCounterMode(display=False) as counter:
        _on_meta(builder)(_clips(*shape))
    assert round(counter.get_total_flops() / 2e9, 3) == giga


@pytest.mark.parametrize("builder", [i3d_r50, i3d_r50_8x8])
def test_kernels_and_strides(builder):
    """First convolution 3x1x1 (1) or 1x1x1 (0); then 1x3x3 with the stride; then 1x1x1; projection in block 0."""
    inflated = {1: [1, 1, 1], 3: [1, 0, 1, 0], 4: [1, 0, 1, 0, 1, 0], 5: [0, 1, 0]}  # by position in `blocks`
    model = _on_meta(builder)
    for position, table in inflated.items():
        blocks = model.blocks[position].res_blocks
        assert len(blocks) == len(table)
        for number, (block, is_inflated) in enumerate(zip(blocks, table, strict=True)):
            a, b, c = block.branch2.conv_a, block.branch2.conv_b, block.branch2.conv_c
            stride = 2 if number == 0 and position > 1 else 1
            assert (a.kernel_size, a.padding) == (((3, 1, 1), (1, 0, 0)) if is_inflated else ((1, 1, 1), (0, 0, 0)))
            assert (b.kernel_size, b.padding, b.stride) == ((1, 3, 3), (0, 1, 1), (1, stride, stride))
            assert (c.kernel_size, a.stride, c.stride) == ((1, 1, 1), (1, 1, 1), (1, 1, 1))
            projection = block.branch1_conv
            assert (projection is not None) == (number == 0)
            if projection is not None:
                assert (projection.kernel_size, projection.stride) == ((1, 1, 1), (1, stride, stride))
                assert block.branch1_norm is not None


def test_no_convolution_has_a_bias():
    assert all(conv.bias is None for conv in _convolutions(_on_meta()).values())


# pytorchvideo's own model


def _sane(state):
    """Weights that keep the activations of a deep network in range, and differ from the initial ones everywhere."""
    generator = torch.Generator().manual_seed(3)
    out = {}
    for name, tensor in state.items():
        noise = torch.randn(tensor.shape, generator=generator)
        if name.endswith("running_var"):
            out[name] = 0.5 + torch.rand(tensor.shape, generator=generator)
        elif name.endswith("num_batches_tracked"):
            out[name] = tensor
        elif name.endswith("norm_c.weight"):
            out[name] = 0.3 + 0.05 * noise
        elif tensor.ndim == 1 and name.endswith("weight"):
            out[name] = 1 + 0.1 * noise
        elif tensor.ndim == 1:
            out[name] = 0.1 * noise
        else:
            out[name] = noise * (2 / math.prod(tensor.shape[1:])) ** 0.5
    return out


@pytest.fixture(scope="module")
def hub():
    return hub_i3d_r50(pretrained=False).eval()


def test_8x8_state_dict_is_that_of_the_hub(hub):
    theirs = {name: tuple(tensor.shape) for name, tensor in hub.state_dict().items()}
    ours = {name: tuple(tensor.shape) for name, tensor in _on_meta(i3d_r50_8x8, norm="bn").state_dict().items()}
    assert ours == theirs


def test_8x8_logits_are_those_of_the_hub(hub):
    weights = _sane(hub.state_dict())
    hub.load_state_dict(weights)
    ours = i3d_r50_8x8(norm="bn").eval()
    ours.load_state_dict(weights)
    clips = torch.randn(1, 3, 8, 224, 224)
    with torch.inference_mode():
        wanted, found = hub(clips), ours(clips)
    assert found.shape == (1, 400, 1, 1, 1)
    assert wanted.std() > 0.1  # the comparison says something
    torch.testing.assert_close(found.flatten(1), wanted, rtol=1e-5, atol=1e-5)


# Initialisation


def _stages(model):
    return [block for block in model.blocks if hasattr(block, "res_blocks")]


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("builder", [i3d_tiny, i3d_r50])
def test_only_the_last_gamma_of_every_block_is_0(builder, norm):
    model = builder(norm=norm)
    norms = _norms(model)
    last = {id(block.branch2.norm_c) for stage in _stages(model) for block in stage.res_blocks}
    assert len(last) == (16 if builder is i3d_r50 else 4)
    assert last <= {id(layer) for layer in norms.values()}
    for name, layer in norms.items():
        assert (layer.weight == (0 if id(layer) in last else 1)).all(), name
        assert (layer.bias == 0).all(), name


def test_convolutions_have_he_initialisation_with_fan_out(r50):
    """Normal, mean 0, variance 2 / (output channels x kernel volume): sample moments within 5 standard errors."""
    for name, conv in _convolutions(r50).items():
        weight = conv.weight.detach().double()
        n = weight.numel()
        std = math.sqrt(2 / (conv.weight.shape[0] * math.prod(conv.weight.shape[2:])))
        assert abs(weight.mean()) < 5 * std / n**0.5, name
        assert abs(weight.std() / std - 1) < 5 / (2 * n) ** 0.5, name
        kurtosis = ((weight / std) ** 4).mean()
        assert abs(kurtosis - 3) < 5 * (96 / n) ** 0.5, name  # normal, not uniform: that has 1.8


def test_classifier_initialisation(r50):
    weight = r50.blocks[-1].proj.weight.detach().double()
    assert abs(weight.std() / 0.01 - 1) < 5 / (2 * weight.numel()) ** 0.5
    assert abs(weight.mean()) < 5 * 0.01 / weight.numel() ** 0.5
    assert (r50.blocks[-1].proj.bias == 0).all()


@pytest.mark.parametrize("builder", [i3d_tiny, i3d_r50])
def test_the_same_seed_gives_the_same_weights_for_every_norm(builder):
    networks = []
    for norm in ("bn", "gn"):
        torch.manual_seed(7)
        networks.append(dict(builder(norm=norm).named_parameters()))
    assert list(networks[0]) == list(networks[1])
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_every_block_starts_as_its_shortcut():
    """With the last gamma at 0 a block without projection is the identity of what is not negative."""
    torch.manual_seed(0)
    block = i3d_r50(norm="gn").blocks[1].res_blocks[1]
    x = torch.rand(1, 256, 2, 4, 4)
    assert torch.equal(block(x), x)


# Sizes


@pytest.mark.parametrize(
    ("builder", "shape", "positions"),
    [
        (i3d_r50, (32, 256, 256), (1, 2, 2)),
        (i3d_r50, (64, 256, 340), (1, 2, 5)),
        (i3d_r50, (32, 320, 224), (1, 4, 1)),
        (i3d_r50_8x8, (8, 224, 224), (1, 1, 1)),
        (i3d_r50_8x8, (16, 256, 256), (5, 2, 2)),
        (i3d_r50_8x8, (8, 256, 340), (1, 2, 5)),
        (i3d_tiny, (16, 64, 80), (1, 1, 1)),
    ],
)
def test_larger_frames_give_more_positions(builder, shape, positions):
    model = _on_meta(builder)
    assert tuple(model(_clips(*shape)).shape[2:]) == positions


def test_a_position_sees_only_its_own_window():
    """The head at position (h, w) is the classifier of the average over (all T, h to h + 6, w to w + 6)."""
    head = i3d_tiny(num_classes=5, pool_window=(None, 7, 7)).eval().blocks[-1]
    features = torch.randn(2, 512, 3, 8, 9)
    logits = head(features)
    assert logits.shape == (2, 5, 1, 2, 3)
    for h in range(2):
        for w in range(3):
            wanted = head.proj(features[:, :, :, h : h + 7, w : w + 7].mean(dim=(2, 3, 4)))
            torch.testing.assert_close(logits[:, :, 0, h, w], wanted, rtol=1e-5, atol=1e-5)


def test_a_smaller_window_for_smaller_crops():
    assert tuple(_on_meta(i3d_r50, pool_window=(None, 4, 4))(_clips(32, 112, 112)).shape[2:]) == (1, 1, 1)


MINIMA = {
    "i3d_r50": (7, 197, 197),
    "i3d_r50_8x8": (8, 193, 193),
    "i3d_r50_8x8_unpadded": (2, 197, 197),
    "i3d_r101": (7, 197, 197),
    "i3d_r18": (7, 197, 197),
    "slow_r50": (8, 193, 193),
    "c2d_r50": (8, 193, 193),
    "x3d_xs": (4, 129, 129),
    "r2plus1d_r50": (13, 193, 193),
    "csn_r101": (25, 193, 193),
    "i3d_tiny": (2, 1, 1),
}


@pytest.mark.parametrize("name", MINIMA)
def test_the_minimum_input_works(name):
    """T, H and W by hand: what the last window needs, backwards through strides, kernels and paddings."""
    model = _on_meta(MODELS[name])
    assert model.minimum == MINIMA[name]
    assert tuple(model(_clips(*model.minimum)).shape[2:]) == (1, 1, 1)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("name", MINIMA)
def test_one_less_than_the_minimum_does_not_work(name, axis):
    """Neither through forward, which names the minimum, nor through the layers themselves: it is truly minimal."""
    model = _on_meta(MODELS[name])
    shape = list(model.minimum)
    shape[axis] -= 1
    named = " x ".join(map(str, model.minimum)) + ", got " + " x ".join(map(str, shape))
    with pytest.raises(ValueError, match=named):
        model(_clips(*shape))
    with pytest.raises((RuntimeError, ValueError)):
        nn.Sequential(*model.blocks)(_clips(*shape))


@pytest.mark.parametrize("window", [(1, 1, 1), (2, 3, 5), (None, 4, 4)])
@pytest.mark.parametrize("name", MINIMA)
def test_the_minimum_follows_the_window(name, window):
    model = _on_meta(MODELS[name], pool_window=window)
    assert tuple(model(_clips(*model.minimum)).shape[2:]) == (1, 1, 1)
    for axis in range(3):
        shape = list(model.minimum)
        shape[axis] -= 1
        with pytest.raises((RuntimeError, ValueError)):
            nn.Sequential(*model.blocks)(_clips(*shape))


@pytest.mark.parametrize("shape", [(3, 8, 32, 32), (1, 1, 8, 32, 32), (1, 8, 3, 32, 32)])
def test_input_of_another_layout(shape):
    with pytest.raises(ValueError, match=r"\(B, 3, T, H, W\)"):
        _on_meta(i3d_tiny)(torch.empty(shape, device="meta"))


# Options


@pytest.mark.parametrize("norm", NORMS)
def test_every_parameter_of_i3d_tiny_has_a_gradient(norm):
    """Once the zero gammas have been set to something; before, they cut off what lies behind them."""
    model = i3d_tiny(norm=norm)
    for stage in _stages(model):
        for block in stage.res_blocks:
            nn.init.constant_(block.branch2.norm_c.weight, 0.5)
    logits = model(torch.randn(2, 3, 8, 32, 32))
    assert logits.shape == (2, 8, 1, 1, 1)
    nn.functional.cross_entropy(logits.flatten(1), torch.tensor([1, 5])).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_zero_gammas_get_a_gradient_at_once():
    model = i3d_tiny()
    model(torch.randn(2, 3, 8, 32, 32))[:, 0].sum().backward()
    for stage in _stages(model):
        for block in stage.res_blocks:
            assert block.branch2.norm_c.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("builder", "options", "groups_of"),
    [
        (i3d_r50, None, lambda channels: 32),
        (i3d_r50, {"groups": 64}, lambda channels: 64),
        (i3d_r50, {"groups": 1}, lambda channels: 1),
        (i3d_r50, {"channels_per_group": 16}, lambda channels: channels // 16),
        (i3d_r50, {"channels_per_group": 1}, lambda channels: channels),
        (i3d_r50_8x8, None, lambda channels: 32),
        (i3d_tiny, None, lambda channels: 4),
        (i3d_tiny, {"groups": 8}, lambda channels: 8),
        (i3d_tiny, {"channels_per_group": 2}, lambda channels: channels // 2),
    ],
)
def test_group_norm_options_reach_every_layer(builder, options, groups_of):
    with torch.device("meta"):
        norms = _norms(builder(norm="gn", norm_options=options))
    for name, layer in norms.items():
        assert type(layer) is nn.GroupNorm, name
        assert layer.num_groups == groups_of(layer.num_channels), name
        assert layer.eps == 1e-5, name


def test_batch_norm_options_reach_every_layer():
    with torch.device("meta"):
        norms = _norms(i3d_r50(norm="bn", norm_options={"momentum": 0.3, "eps": 1e-3}))
        defaults = _norms(i3d_r50(norm="bn"))
    assert {(layer.momentum, layer.eps) for layer in norms.values()} == {(0.3, 1e-3)}
    assert {(layer.momentum, layer.eps) for layer in defaults.values()} == {(0.1, 1e-5)}


@pytest.mark.parametrize(
    ("builder", "options", "words"),
    [
        (i3d_r50, {"norm": "gm"}, "did you mean 'gn'"),
        (i3d_r50, {"norm": "bn", "norm_options": {"groups": 8}}, "'groups'"),
        (i3d_r50, {"norm_options": {"groups": 48}}, "64 channels and groups=48"),
        (i3d_tiny, {"norm_options": {"groups": 32}}, "16 channels and groups=32"),
    ],
)
def test_wrong_options(builder, options, words):
    with torch.device("meta"), pytest.raises(ValueError, match=words):
        builder(**options)


def test_dropout_lies_between_pool_and_classifier():
    """0.5 by default, on the averaged features: some of them are 0 and the others doubled, in training only."""
    assert _on_meta().blocks[-1].dropout.p == 0.5
    head = i3d_tiny(dropout=0.5).blocks[-1]
    features = torch.rand(1, 512, 2, 3, 3) + 0.5
    seen = []
    head.proj.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten()))
    mean = features.mean(dim=(2, 3, 4)).flatten()
    head.train()(features)
    dropped = seen[0] == 0
    assert 0.35 < dropped.float().mean() < 0.65
    torch.testing.assert_close(seen[0][~dropped], 2 * mean[~dropped])
    head.eval()(features)
    torch.testing.assert_close(seen[1], mean)


@pytest.mark.parametrize("width", [8, 16, 32])
def test_width_of_i3d_tiny(width):
    model = _on_meta(i3d_tiny, width=width)
    assert model.blocks[0].conv.out_channels == width
    assert model.blocks[-1].proj.in_features == 32 * width
