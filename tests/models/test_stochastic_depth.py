"""Residual branches that some clips leave out in training."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.ops import StochasticDepth

from videogn.models import i3d_tiny, make_model
from videogn.models.blocks import ResidualBlock
from videogn.models.stochastic_depth import leave_out


def _blocks(net):
    return [module for module in net.modules() if isinstance(module, ResidualBlock)]


@pytest.mark.parametrize(("arch", "count"), [("i3d_tiny", 4), ("i3d_r50", 16), ("i3d_r18", 8)])
def test_probabilities_grow_linearly_over_the_blocks(arch, count):
    with torch.device("meta"):
        net = make_model(arch, 5, arch_options={"stochastic_depth": 0.3})
    drops = [block.drop for block in _blocks(net)]
    assert [drop.p for drop in drops] == pytest.approx(torch.linspace(0, 0.3, count).tolist())
    assert {drop.mode for drop in drops} == {"row"}


@pytest.mark.parametrize(
    ("arch", "blocks"), [("mvit_v1_b", 16), ("mvit_v2_s", 16), ("swin3d_t", 12), ("mvit_base_16x4", 16)]
)
def test_transformers_have_theirs(arch, blocks):
    with torch.device("meta"):
        net = make_model(arch, 5, "ln", arch_options={"stochastic_depth": 0.4})
    if arch == "mvit_base_16x4":  # pytorchvideo leaves out the path of the first block, whose probability is 0
        found = [getattr(block.drop_path, "drop_prob", 0.0) for block in net.blocks]
    else:
        found = [module.p for module in net.modules() if isinstance(module, StochasticDepth)]
    assert sorted(set(found)) == pytest.approx(torch.linspace(0, 0.4, blocks).tolist())
    assert found == sorted(found)


def test_a_clip_leaves_out_a_branch_as_a_whole():
    """What is kept is divided by the probability of keeping it, so that the mean stays."""
    block = ResidualBlock(None, None, nn.Conv3d(2, 2, 1), nn.ReLU(), "plain")
    leave_out([nn.Module(), block], 0.25)
    x = torch.randn(4000, 2, 1, 2, 2)
    shortcut, branch = x, block.branch2(x)
    out = block(x)
    dropped, kept = torch.relu(shortcut), torch.relu(shortcut + branch / 0.75)
    is_dropped = torch.isclose(out, dropped).flatten(1).all(1)
    is_kept = torch.isclose(out, kept, atol=1e-6).flatten(1).all(1)
    assert bool((is_dropped | is_kept).all())
    assert is_dropped.float().mean().item() == pytest.approx(0.25, abs=0.03)
    torch.testing.assert_close(block.eval()(x), torch.relu(shortcut + branch))


def _gradients(memory_mode, clips):
    torch.manual_seed(0)
    net = i3d_tiny(3, width=8, stochastic_depth=0.5, memory_mode=memory_mode)
    for parameter in net.parameters():
        nn.init.normal_(parameter, std=0.1)
    torch.manual_seed(1)
    net(clips).square().mean().backward()
    return [parameter.grad for parameter in net.parameters()]


@pytest.mark.parametrize("memory_mode", ["lean", "block", "stage"])
def test_every_memory_mode_leaves_out_the_same(memory_mode):
    clips = torch.randn(6, 3, 4, 32, 32)
    for one, other in zip(_gradients("plain", clips), _gradients(memory_mode, clips), strict=True):
        assert torch.equal(one, other)


def test_nothing_is_drawn_without_it():
    net = i3d_tiny(3, width=8)
    assert [block.drop for block in _blocks(net)] == [None] * 4
    before = torch.get_rng_state()
    net(torch.randn(2, 3, 4, 32, 32, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("arch", "value", "message"),
    [
        ("i3d_tiny", 1.0, r"stochastic_depth must be in \[0, 1\), got 1\.0"),
        ("mvit_base_16x4", -0.1, r"stochastic_depth must be in \[0, 1\), got -0\.1"),
        ("r3d_18", 0.1, "arch 'r3d_18' takes .*, got option 'stochastic_depth'"),
    ],
)
def test_what_is_refused(arch, value, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        make_model(arch, 5, "ln" if arch.startswith("mvit") else "bn", arch_options={"stochastic_depth": value})
