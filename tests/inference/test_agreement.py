"""Agreement of predictions, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from videogn.inference.agreement import agreement


def _logits(rows):
    """Logits (B, K, 1, 1, 1) of probabilities."""
    return torch.tensor(rows).log()[:, :, None, None, None]


def test_against_the_hand():
    p = [[0.5, 0.5, 0.0], [0.1, 0.7, 0.2], [0.25, 0.25, 0.5]]
    q = [[0.25, 0.75, 0.0], [0.1, 0.7, 0.2], [0.5, 0.25, 0.25]]
    batches = [torch.tensor([0, 1]), torch.tensor([2])]
    # A logit of minus infinity is refused: the class of probability 0 has a very small one.
    nets = [lambda index, rows=rows: _logits(rows).nan_to_num(neginf=-200.0)[index] for rows in (q, p)]
    found = agreement(*nets, batches)
    assert found.clips == 3
    assert found.top1_agreement == pytest.approx(1 / 3)  # of two equal classes the first counts
    assert found.total_variation == pytest.approx((0.25 + 0 + 0.25) / 3, abs=1e-6)
    first = 0.5 * math.log(2) + 0.5 * math.log(2 / 3)
    last = 0.25 * math.log(0.5) + 0.5 * math.log(2)
    assert found.kl == pytest.approx((first + last) / 3, abs=1e-6)


def test_positions_are_averaged_first():
    """Softmax at every position, then the mean, as in testing."""
    logits = torch.randn(2, 4, 2, 3, 3)
    other = logits.softmax(1).mean((2, 3, 4), keepdim=True).log()
    found = agreement(lambda clips: other, lambda clips: logits, [torch.zeros(2)])
    assert found.top1_agreement == 1
    assert found.total_variation == pytest.approx(0, abs=1e-6)
    assert found.kl == pytest.approx(0, abs=1e-6)


def test_a_class_that_only_one_network_knows():
    """Finite, also where a probability has underflowed."""
    one, other = torch.tensor([[0.0, -300.0]]), torch.tensor([[-300.0, 0.0]])
    five = [each[:, :, None, None, None] for each in (one, other)]
    found = agreement(lambda clips: five[0], lambda clips: five[1], [torch.zeros(1)])
    assert (found.top1_agreement, found.total_variation) == (0, 1)
    assert math.isfinite(found.kl)
