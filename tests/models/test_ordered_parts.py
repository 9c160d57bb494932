"""The parts of networks, from the input to the head."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from videogn.models import MODELS
from videogn.models.ordered_parts import ordered_parts, part_of


@pytest.mark.parametrize(
    ("arch", "first", "last", "count"),
    [
        ("i3d_r50", "blocks.0", "blocks.6", 6),  # stem, res2, a pool that does not count, res3, res4, res5, head
        ("r3d_18", "stem", "fc", 6),
        ("x3d_s", "blocks.0", "blocks.5", 6),
        ("slowfast_r50", "blocks.0", "blocks.6", 6),
        ("mvit_v2_s", "conv_proj", "head", 20),  # 16 blocks, positions, and the last norm
        ("swin3d_t", "patch_embed", "head", 10),  # 4 stages and 3 mergings
    ],
)
def test_every_parameter_is_in_one_part(arch, first, last, count):
    with torch.device("meta"):
        net = MODELS[arch](8)
    parts = ordered_parts(net)
    assert (next(iter(parts)), list(parts)[-1], len(parts)) == (first, last, count)
    for name, parameter in net.named_parameters():
        part = part_of(name, parts)
        assert any(parameter is own for own in parts[part].parameters())


class _WithToken(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 4))
        self.embedding = nn.Linear(3, 4)
        self.blocks = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))
        self.drop = nn.Dropout()
        self.head = nn.Sequential(nn.Dropout(), nn.Linear(4, 2))


class _Wrapped(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net


def test_a_network_of_someone_else():
    parts = ordered_parts(_Wrapped(_WithToken()))
    assert list(parts) == ["net.embedding", "net.blocks.0", "net.blocks.1", "net.blocks.2", "net.head"]
    assert part_of("net.token", parts) == "net.embedding"
    assert part_of("net.head.1.bias", parts) == "net.head"


def test_a_plain_sequence_and_a_single_layer():
    assert list(ordered_parts(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)))) == ["0", "2"]
    assert list(ordered_parts(_Wrapped(nn.Linear(2, 2)))) == ["net"]
    assert ordered_parts(nn.ReLU()) == {}
