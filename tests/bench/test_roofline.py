"""The least work of a step against counts by hand, and the rates of the machine."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from videogn.bench.clocks import Clock
from videogn.bench.roofline import Rates, Work, measure_rates, work_of
from videogn.memory import StepSetting
from videogn.models import MODELS

B, T, SIDE, WIDTH, CLASSES = 3, 4, 10, 6, 5


@pytest.fixture
def two_convolutions(monkeypatch):
    """1x1x1 from 3 to 6 channels, then 1x2x2 with stride 2 to the classes; no bias, no norm."""

    def build(num_classes, norm):
        first = nn.Conv3d(3, WIDTH, 1, bias=False)
        return nn.Sequential(first, nn.Conv3d(WIDTH, num_classes, (1, 2, 2), (1, 2, 2), bias=False))

    monkeypatch.setitem(MODELS, "two_convolutions", build)
    return StepSetting("two_convolutions", "none", T, SIDE, num_classes=CLASSES)


@pytest.mark.parametrize("batch_size", [B, 2 * B])
def test_counts_by_hand(two_convolutions, batch_size):
    training, inference = work_of(two_convolutions, batch_size)
    positions, left = batch_size * T * SIDE * SIDE, batch_size * T * (SIDE // 2) ** 2
    first, second = positions * 3 * WIDTH, left * 4 * WIDTH * CLASSES
    # The backward pass is the gradients of both weights, and of the second one's input; clips have none.
    assert training.multiply_adds == 2 * first + 3 * second
    assert inference.multiply_adds == first + second
    weights = 4 * (3 * WIDTH + 4 * WIDTH * CLASSES)
    clips, hidden, log_softmax = 4 * positions * 3, 4 * positions * WIDTH, 4 * left * CLASSES
    kept = clips + hidden + log_softmax + 8 * left + 4 + 4  # labels of all positions; the loss, the sum of its weights
    momentum = gradients = weights
    assert training.bytes == 2 * kept + 3 * weights + 2 * gradients + 2 * momentum
    assert inference.bytes == weights + clips


@pytest.mark.parametrize(("precision", "size"), [("64-true", 8), ("bf16-true", 2)])
def test_bytes_follow_the_number_format(two_convolutions, precision, size):
    setting = StepSetting(**{**vars(two_convolutions), "precision": precision})
    usual, found = work_of(two_convolutions, B), work_of(setting, B)
    assert [each.multiply_adds for each in found] == [each.multiply_adds for each in usual]
    assert found[1].bytes == usual[1].bytes * size // 4


def test_memory_modes_have_the_same_least_work():
    """What is computed again need not be."""
    plain, block = (
        work_of(StepSetting("i3d_tiny", "bn", 4, 16, memory_mode=mode, num_classes=3), 2) for mode in ("plain", "block")
    )
    assert plain == block


@pytest.mark.parametrize(("work", "seconds"), [(Work(200, 50), 5.0), (Work(1000, 50), 10.0)])
def test_the_longer_of_both_is_the_least_time(work, seconds):
    assert Rates(multiply_adds=100.0, bytes=10.0).least_seconds(work) == seconds


@pytest.mark.parametrize(
    ("dtype", "slow", "products", "quickest"),
    [
        (torch.float32, None, [0.5, 0.25, 4.0, 1.0, 1.0], 0.25),
        (torch.bfloat16, None, [0.5, 0.25, 4.0, 1.0, 1.0, *[0.5] * 5], 0.25),
        (torch.bfloat16, None, [3.0] * 5 + [0.5] * 5, 0.5),  # float32 is the quicker one
        (torch.bfloat16, "it is slow", [0.5] * 5, 0.5),  # float32 alone is tried
        (torch.float64, None, [2.0] * 5, 2.0),
    ],
)
def test_rates_are_those_of_the_quickest_turn(monkeypatch, dtype, slow, products, quickest):
    """Of a product of two 64 x 64 matrices, and of a copy of 1,000 bytes: read and written."""
    monkeypatch.setattr("videogn.bench.roofline.slow_arithmetic", lambda _: slow)
    monkeypatch.setattr("videogn.bench.roofline._SIDE", {"cpu": 64})
    monkeypatch.setattr("videogn.bench.roofline._COPIED", {"cpu": 1000})
    took = iter([*products, 2.0, 0.1, 3.0, 1.0, 1.0])

    def seconds(work, times):
        work()
        return next(took)

    rates = measure_rates(dtype, torch.device("cpu"), Clock("processor", seconds))
    assert rates == Rates(64**3 / quickest, 2 * 1000 / 0.1)
