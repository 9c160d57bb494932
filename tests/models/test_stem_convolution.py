"""The stem's 3D convolution as a 2D one, against float64 and inside networks."""

from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from videogn.models import make_model
from videogn.models.stem_convolution import convolve_folded, fold_time
from videogn.norm.weight_standardisation import WeightStandardisedConv3d, standardise_weight

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"),
    [
        ((5, 7, 7), (2, 2, 2), (2, 3, 3)),  # i3d_r50
        ((5, 7, 7), (1, 2, 2), (2, 3, 3)),  # i3d_tiny
        ((1, 7, 7), (1, 2, 2), (0, 3, 3)),  # c2d_r50
        ((3, 3, 2), (3, 1, 2), (0, 1, 0)),
    ],
)
@pytest.mark.parametrize("channels", [1, 3, 7])
def test_it_is_the_3d_convolution(kernel, stride, padding, channels, bias):
    """Output and all gradients, in float64, of odd sizes with a large mean."""
    torch.manual_seed(0)
    conv = nn.Conv3d(channels, 4, kernel, stride, padding, bias=bias).double()
    clips = (torch.randn(2, channels, 7, 13, 11, dtype=torch.float64) + 50).requires_grad_()
    found, wanted = convolve_folded(conv, clips, conv.weight, conv.bias), conv(clips)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-9)
    leaves = [clips, *conv.parameters()]
    upstream = torch.randn_like(wanted)
    gradients = (torch.autograd.grad(each, leaves, upstream) for each in (found, wanted))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
def test_the_layout_stays(layout):
    conv = nn.Conv3d(3, 16, (5, 7, 7), (2, 2, 2), (2, 3, 3))
    clips = torch.randn(2, 3, 8, 16, 20).contiguous(memory_format=layout)
    assert convolve_folded(conv, clips, conv.weight, conv.bias).is_contiguous(memory_format=layout)


def test_under_autocast_it_computes_in_16_bits():
    conv = nn.Conv3d(3, 4, 3, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        assert convolve_folded(conv, torch.randn(1, 3, 4, 8, 8), conv.weight, conv.bias).dtype == torch.bfloat16


@pytest.mark.parametrize("arch", ["i3d_tiny", "r3d_18"])
def test_networks_compute_the_same(arch):
    torch.manual_seed(0)
    net = make_model(arch, 5, "gn").double().eval()
    clips = torch.randn(1, 3, 8, 32, 32, dtype=torch.float64)
    folded, names = copy.deepcopy(net), list(net.state_dict())
    fold_time(folded, CUDA, "bf16-mixed")
    assert sum("_conv_forward" in vars(module) for module in folded.modules()) == 1
    with torch.inference_mode():
        torch.testing.assert_close(folded(clips), net(clips), rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(copy.deepcopy(folded)(clips), folded(clips), rtol=0, atol=0)
    assert list(folded.state_dict()) == names


def test_a_convolution_of_a_norm_keeps_its_own_weights():
    conv = WeightStandardisedConv3d(3, 4, (3, 3, 3), padding=1).double()
    clips = torch.randn(1, 3, 4, 6, 6, dtype=torch.float64)
    wanted = F.conv3d(clips, standardise_weight(conv.weight), conv.bias, padding=1)
    fold_time(conv, CUDA, "16-mixed")
    torch.testing.assert_close(conv(clips), wanted)


@pytest.mark.parametrize(
    ("conv", "device", "precision"),
    [
        (nn.Conv3d(3, 4, 3), CPU, "bf16-mixed"),
        (nn.Conv3d(3, 4, 3), CUDA, "32-true"),
        (nn.Conv3d(8, 4, 3), CUDA, "bf16-mixed"),
        (nn.Conv3d(4, 4, 3, groups=2), CUDA, "bf16-mixed"),
        (nn.Conv3d(3, 4, 3, dilation=2), CUDA, "bf16-mixed"),
        (nn.Conv3d(3, 4, 3, padding="same"), CUDA, "bf16-mixed"),
        (nn.Conv3d(3, 4, 3, padding=1, padding_mode="replicate"), CUDA, "bf16-mixed"),
        (nn.Conv2d(3, 4, 3), CUDA, "bf16-mixed"),
    ],
)
def test_others_are_left_alone(conv, device, precision):
    fold_time(conv, device, precision)
    assert "_conv_forward" not in vars(conv)
