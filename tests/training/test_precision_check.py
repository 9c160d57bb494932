"""Convolutions that are wrong in 16 bits are found, with stand-ins that are wrong in one thing each."""

from __future__ import annotations

import logging
import time
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from videogn.choices import NetworkInput
from videogn.models import i3d_r50, i3d_tiny, make_model
from videogn.models.stem_convolution import fold_time
from videogn.training.precision_check import (
    TOLERANCE,
    check_convolutions,
    check_training,
    convolutions_of,
    known_slow,
    reduced_type,
    slow_arithmetic,
)

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def _right(clips, weight, *others):
    """A convolution of 16 bits that no library gets wrong: of 32 bits, rounded."""
    return F.conv3d(clips.float(), weight.float(), *others).to(clips.dtype)


def _wrong_in(part):
    """A convolution whose output or one of whose gradients is wrong for two frames."""

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, clips, weight, *others):
            ctx.save_for_backward(clips, weight)
            ctx.others, ctx.short = others, clips.shape[2] == 2
            return _right(clips, weight, *others) * (1.2 if ctx.short and part == "output" else 1)

        @staticmethod
        def backward(ctx, gradient):
            with torch.enable_grad():
                clips, weight = (each.detach().float().requires_grad_() for each in ctx.saved_tensors)
                output = F.conv3d(clips, weight, *ctx.others)
            of_input, of_weight = torch.autograd.grad(output, (clips, weight), gradient.float())
            if ctx.short and part == "input gradient":
                of_input[:, :, -1] = 0
            if ctx.short and part == "weight gradient":
                of_weight[0] = torch.nan
            return of_input, of_weight, None, None, None, None, None

    return Wrong.apply


def _check(net, size, convolution, dtype=torch.bfloat16, **options):
    check_convolutions(net, [size], CPU, dtype, convolution=convolution, **options)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("layout", ["contiguous", "channels_last"])
def test_rounding_is_no_error(dtype, layout):
    _check(i3d_tiny(), (8, 64, 64), _right, dtype, layout=layout)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("output", r"the output is off by 20%"),
        ("input gradient", r"the input gradient is off by \d\d%"),
        ("weight gradient", "the weight gradient is all noise"),
    ],
)
def test_what_is_wrong_is_named_with_versions_and_the_way_on(part, said):
    with pytest.raises(ValueError, match=said) as caught:
        _check(i3d_tiny(), (4, 64, 64), _wrong_in(part))  # two frames from res3 on
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"convolutions in bfloat16 are wrong on cpu with torch {torch.__version__}: in ")
    assert " on 2x" in message
    assert message.endswith(
        "take precision 32 or another version of torch, or go on all the same with --model.check_precision false"
    )


def test_a_network_without_such_convolutions_may_train():
    """Eight frames come to four; a network is asked for its sizes only where an example is wrong."""
    _check(i3d_tiny(), (8, 64, 64), _wrong_in("output"))


@pytest.mark.parametrize("frames", [4, 8])
def test_a_network_whose_stem_is_folded_is_asked_for_its_sizes_too(frames):
    net = i3d_tiny()
    fold_time(net, CUDA, "bf16-mixed")
    assert convolutions_of(net, [(frames, 64, 64)]) == convolutions_of(i3d_tiny(), [(frames, 64, 64)])
    if frames == 4:
        with pytest.raises(ValueError, match="off by"):
            _check(net, (frames, 64, 64), _wrong_in("output"))
    else:
        _check(net, (frames, 64, 64), _wrong_in("output"))


def test_clips_of_every_shape_count():
    with pytest.raises(ValueError, match="off by"):
        check_convolutions(i3d_tiny(), [(8, 64, 64), (4, 64, 64)], CPU, torch.bfloat16, convolution=_wrong_in("output"))


class _OnNumbers(nn.Module):
    """A network from outside that looks at numbers, which nothing can be known about without."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv3d(3, 4, 3, padding=1)

    def forward(self, x):
        return self.conv(x) if x.mean().item() > 0 else x


def test_of_a_network_that_needs_numbers_the_usual_sizes_are_checked():
    _check(_OnNumbers(), (2, 8, 8), _wrong_in("output"))
    with pytest.raises(ValueError, match=r"3x3x3 on 8x8x8 positions the .* is all noise"):
        _check(_OnNumbers(), (2, 8, 8), lambda clips, weight, *others: -_right(clips, weight, *others))


def test_depthwise_and_two_dimensional_convolutions():
    _check(make_model("x3d_s", 5, "bn"), (13, 160, 160), _right)
    _check(nn.Sequential(nn.Conv2d(3, 4, 3)), (1, 8, 8), _right)  # no 3D convolution: nothing is known to be wrong


def test_sizes_are_those_of_a_real_pass():
    net = i3d_tiny(width=8)
    found, seen = convolutions_of(net, [(8, 48, 64)]), set()
    for layer in net.modules():
        if isinstance(layer, nn.Conv3d):
            layer.register_forward_pre_hook(
                lambda layer, inputs: seen.add((layer.kernel_size, tuple(min(n, 8) for n in inputs[0].shape[2:])))
            )
    state = [tensor.clone() for tensor in net.state_dict().values()]
    net(torch.randn(1, 3, 8, 48, 64))
    assert {(shape.kernel, shape.size) for shape in found} == seen
    torch.testing.assert_close(list(net.state_dict().values()), state, rtol=0, atol=0)


def test_asking_changes_neither_statistics_nor_random_numbers():
    net = i3d_tiny(norm="bn", dropout=0.5).train()
    before = {name: each.clone() for name, each in net.state_dict().items()}
    torch.manual_seed(1)
    convolutions_of(net, [(8, 64, 64)])
    check_convolutions(net, [(8, 64, 64)], CPU, torch.bfloat16, convolution=_right)
    drawn = torch.rand(())
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(()))
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert not any(layer._forward_pre_hooks for layer in net.modules())


def test_it_costs_milliseconds():
    """About 0.03 s of processor time for i3d_r50 on a 2-core AMD EPYC VM, busy; a step of it takes seconds."""
    net = i3d_r50()
    _check(net, (32, 224, 224), _right)
    start = time.process_time()
    _check(net, (32, 224, 224), _right)
    assert time.process_time() - start < 0.5


@pytest.mark.parametrize(
    ("name", "dtype"),
    [
        ("bf16-mixed", torch.bfloat16),
        ("bf16-true", torch.bfloat16),
        ("16-mixed", torch.float16),
        ("16-true", torch.float16),
        ("32-true", None),
        ("64-true", None),
    ],
)
def test_number_formats(name, dtype):
    assert reduced_type(name) is dtype


@pytest.mark.parametrize(("version", "slow"), [(90700, False), (91002, True), (91500, False)])
def test_versions_that_are_known_to_be_slow(monkeypatch, caplog, version, slow):
    monkeypatch.setattr(torch.backends.cudnn, "version", lambda: version)
    said = known_slow(CUDA, torch.bfloat16)
    assert (said is not None) is slow
    if slow:
        assert said.startswith("3D convolutions in bfloat16 are slow and take more memory with torch ")
        assert "cuDNN 9.10.2 (pytorch #166122, #166643): install cuDNN 9.15 or later" in said


@pytest.mark.parametrize(("seconds", "times"), [(0.5, None), (4.0, None), (42.3, 42)])
def test_a_processor_without_arithmetic_in_a_format(monkeypatch, seconds, times):
    took = {torch.float32: 1.0, torch.bfloat16: seconds}
    monkeypatch.setattr("videogn.training.precision_check._product_seconds", took.get)
    said = None
    if times is not None:
        said = (
            "bfloat16 is slow on this processor, which has no arithmetic in it: a matrix product takes "
            f"{times} times as long as in float32; take precision 32"
        )
    assert slow_arithmetic(torch.bfloat16) == known_slow(CPU, torch.bfloat16) == said


def test_a_real_product_in_float32_is_not_slow():
    assert slow_arithmetic(torch.float32) is None


def _trainer(precision, shapes=None):
    multigrid = None if shapes is None else SimpleNamespace(cycles=SimpleNamespace(shapes=shapes))
    return SimpleNamespace(
        precision=precision,
        strategy=SimpleNamespace(root_device=CPU),
        train_dataloader=SimpleNamespace(multigrid=multigrid),
        is_global_zero=True,
    )


def test_a_run_in_32_bits_is_not_checked(monkeypatch, caplog):
    monkeypatch.setattr("videogn.training.precision_check.check_convolutions", None)
    with caplog.at_level(logging.INFO):
        check_training(_trainer("32-true"), i3d_tiny(), NetworkInput(), "contiguous")
    assert not caplog.records


def test_a_run_checks_its_clips_and_those_of_multigrid(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "videogn.training.precision_check.check_convolutions",
        lambda net, sizes, device, dtype, *, layout: seen.update(sizes=sizes, dtype=dtype, layout=layout),
    )
    shapes = [SimpleNamespace(clip_length=4, crop_size=32)]
    check_training(
        _trainer("bf16-true", shapes), i3d_tiny(), NetworkInput(clip_length=8, crop_size=64), "channels_last"
    )
    assert seen == {"sizes": [(8, 64, 64), (4, 32, 32)], "dtype": torch.bfloat16, "layout": "channels_last"}


def test_the_tolerance_lies_between_rounding_and_what_was_wrong():
    """bfloat16 has 8 bits: a rounded number is off by 2^-9 of it at most."""
    assert 2**-9 * 10 < TOLERANCE < 0.5
