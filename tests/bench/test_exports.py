"""Variants of a network measured side by side; nothing here depends on how fast anything is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from videogn.bench.example_clips import drawn_clips
from videogn.bench.exports import Variant, measure_variants

ABOUT = {"clip_length": 3, "interval": 2, "crop_size": 21, "short_side": 24, "mean": [0.45] * 3, "std": [0.225] * 3}


class _Net(nn.Module):
    """Logits of five classes at two positions, moved by a constant for one of them."""

    def __init__(self, moved=0.0):
        super().__init__()
        self.moved = moved
        self.calls = []

    def forward(self, clips):
        self.calls.append(clips)
        logits = clips.flatten(1)[:, :10].view(1, 5, 2, 1, 1).clone()
        logits[:, 2] += self.moved
        return logits


def test_variants():
    clips = [torch.randn(1, 3, 2, 4, 4) for _ in range(4)]
    nets = {"own": _Net(), "equal": _Net(), "moved": _Net(100.0)}

    def broken():
        raise ModuleNotFoundError("no such package\nmore")

    variants = [Variant(name, lambda net=net: (net, 12)) for name, net in nets.items()]
    own, missing, equal, moved = measure_variants(
        [variants[0], Variant("missing", broken), *variants[1:]], clips, rounds=3
    )
    assert (missing.measured, missing.error) == (None, "no such package")
    assert own.measured.ratio == 1
    assert (own.measured.difference, own.measured.agreement) == (0, 1)
    assert (equal.measured.difference, equal.measured.agreement) == (0, 1)
    assert moved.measured.difference == pytest.approx(100, rel=1e-5)
    best = [int(nets["own"](clip).softmax(1).mean((2, 3, 4)).argmax()) for clip in clips]
    assert moved.measured.agreement == sum(number == 2 for number in best) / 4
    for found in (own, equal, moved):
        low, high = found.measured.quartiles_s
        assert 0 < low <= found.measured.clip_s <= high
        assert found.measured.bytes == 12
    # Every clip once, to warm up and to compare; then one clip a round, the same one for all.
    for name in ("equal", "moved"):
        assert all(map(torch.equal, nets[name].calls, [*clips, *clips[:3]]))


def test_the_network_itself_has_to_work():
    def broken():
        raise ValueError("no network")

    with pytest.raises(ValueError, match="no network"):
        measure_variants([Variant("own", broken)], [torch.zeros(1)], rounds=1)


def test_drawn_clips():
    clips = drawn_clips(9, ABOUT)
    assert {clip.shape for clip in clips} == {(1, 3, 3, 21, 21)}
    assert all(map(torch.equal, clips, drawn_clips(9, ABOUT)))
    assert len({float(clip.sum()) for clip in clips}) == 9
