"""Short training runs of a tiny network, to be compared with one another."""

from __future__ import annotations

import functools

import torch
from torch import nn

from videogn.models import i3d_tiny
from videogn.models.memory_format import format_of_clips, lay_out
from videogn.models.recompute import MEMORY_MODES

MODES = MEMORY_MODES
STEPS = 50


def tiny(norm, memory_mode="plain", build=i3d_tiny):
    """A small network, the same for all memory modes, with what its zero gammas would hide."""
    torch.manual_seed(3)
    net = build(norm=norm, width=8, num_classes=3, memory_mode=memory_mode)
    for name, parameter in net.named_parameters():
        if name.endswith("norm_c.weight"):
            nn.init.constant_(parameter, 0.5)
    return net


def curve(net, dtype=torch.float32, layout="contiguous", steps=STEPS):
    """Losses of some steps of SGD on moving random clips, and the network's buffers after them."""
    net = net.to(dtype).train()
    lay_out(net, layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.002)
    generator = torch.Generator().manual_seed(5)
    losses = []
    for _ in range(steps):
        labels = torch.randint(3, (4,), generator=generator)
        clips = torch.randn(4, 3, 8, 32, 32, generator=generator) + labels[:, None, None, None, None] - 1
        optimizer.zero_grad()
        clips = clips.to(dtype).contiguous(memory_format=format_of_clips(layout))
        loss = nn.functional.cross_entropy(net(clips).flatten(1), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses).double(), [buffer.double() for buffer in net.buffers()]


@functools.cache
def plain_curve(norm, build=i3d_tiny, steps=STEPS):
    """The curve that others are compared with, trained once."""
    return curve(tiny(norm, build=build), steps=steps)


def assert_same_curves(found, wanted, *, exact=False):
    """Losses alike, and running statistics, whose counts of batches are equal.

    BN over the 16 positions of the last stage multiplies rounding: after 50 steps float32 is 0.006 from float64.
    """
    losses, buffers = wanted
    assert losses[-10:].mean() < 0.95 * losses[:10].mean() or len(losses) < STEPS  # it learns
    torch.testing.assert_close(found[0][:3], losses[:3], rtol=0, atol=1e-4)
    torch.testing.assert_close(found[0], losses, rtol=0, atol=1e-5 if exact else 0.03)
    for one, other in zip(found[1], buffers, strict=True):
        loose = 0 if other.ndim == 0 else 1e-4 if exact else 0.2
        torch.testing.assert_close(one, other, rtol=loose, atol=loose)
