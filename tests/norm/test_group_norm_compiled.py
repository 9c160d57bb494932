"""The form of GroupNorm that a compiler fuses, against PyTorch's own in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from videogn.norm.pytorch_layers import normalise_groups

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last_3d}


def _norm(groups, channels):
    torch.manual_seed(0)
    norm = nn.GroupNorm(groups, channels).double()
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("groups", [1, 4, 12])
@pytest.mark.parametrize("positions", [(3, 5, 7), (1, 1, 1), (2, 1, 9)])
def test_output_and_gradients(layout, groups, positions):
    norm = _norm(groups, 12)
    shape = (3, 12, *positions)
    x = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=LAYOUTS[layout]).requires_grad_()
    found = normalise_groups(x, groups, norm.weight, norm.bias, norm.eps)
    wanted = norm(x)
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-10)
    assert found.stride() == x.stride()
    leaves, upstream = [x, norm.weight, norm.bias], torch.randn_like(wanted)
    gradients = (torch.autograd.grad(each, leaves, upstream) for each in (found, wanted))
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("mean", [0, 100, 3000])
def test_large_means_in_float32(mean):
    """At most twice as far from float64 as PyTorch's own, or as close as the numbers themselves are."""
    norm = _norm(4, 16)
    exact = torch.randn(2, 16, 4, 9, 9, dtype=torch.float64) + mean
    x = exact.float()
    wanted = norm(x.double())
    found = normalise_groups(x, 4, norm.weight.float(), norm.bias.float(), norm.eps)
    own = nn.functional.group_norm(x, 4, norm.weight.float(), norm.bias.float(), norm.eps)
    errors = [(each.double() - wanted).abs().max().item() for each in (found, own)]
    assert errors[0] <= max(2 * errors[1], 1e-5)


def test_in_16_bits_statistics_are_of_32():
    norm = _norm(4, 16)
    x = (torch.randn(2, 16, 4, 9, 9) + 20).bfloat16()
    found = normalise_groups(x, 4, norm.weight.float(), norm.bias.float(), norm.eps)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), norm(x.double()), rtol=2**-8, atol=1e-3)


def test_images_have_two_axes():
    norm, x = _norm(3, 6), torch.randn(2, 6, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(normalise_groups(x, 3, norm.weight, norm.bias, norm.eps), norm(x))
