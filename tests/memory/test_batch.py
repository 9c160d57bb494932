"""The largest batch, on made-up memories of known answer and on a real plan."""

from __future__ import annotations

import random

import pytest

from videogn.memory import StepSetting, largest_batch, step_memory


def test_convex_memories():
    """Maxima of lines, as peaks are; the answer and its successor have been asked for, nothing twice."""
    draw = random.Random(0)
    asked = 0
    for _ in range(2000):
        lines = [(draw.randint(0, 500), draw.randint(1, 99)) for _ in range(4)]
        limit = draw.randint(0, 30_000)
        sizes = []

        def memory_of(size, lines=lines, sizes=sizes):
            sizes.append(size)
            return max(constant + slope * size for constant, slope in lines)

        found = largest_batch(memory_of, limit)
        assert {found, found + 1} - {0} <= set(sizes)
        assert found == 0 or memory_of(found) <= limit
        assert memory_of(found + 1) > limit
        assert len(set(sizes[:-2])) == len(sizes[:-2]) or not found
        asked += len(sizes)
    assert asked < 8 * 2000


def test_memory_in_steps():
    """Not convex: an allocator's rounding, say."""
    for limit in range(0, 400, 7):
        assert largest_batch(lambda size: 40 * -(-size // 3) + size, limit) == max(
            [size for size in range(1, 40) if 40 * -(-size // 3) + size <= limit], default=0
        )


def test_memory_that_does_not_grow():
    with pytest.raises(ValueError, match="memory must grow with the batch, got 5 bytes for any number of clips"):
        largest_batch(lambda size: 5, 25)


@pytest.mark.parametrize("flat", [1, 2, 3, 8, 100])
def test_memory_that_is_flat_for_small_batches(flat):
    """The peak of few, small clips is the step of the optimiser, whatever their number."""
    for limit in range(1000, 1100, 9):
        expected = flat + (limit - 1000) // 10
        assert largest_batch(lambda size: 1000 + 10 * max(size - flat, 0), limit) == expected


@pytest.mark.parametrize("mode", ["plain", "block"])
def test_a_real_plan(mode):
    setting = StepSetting("i3d_tiny", "gn", 8, 64, memory_mode=mode, num_classes=8)
    limit = 200 * 2**20
    found = largest_batch(lambda size: step_memory(setting, size).peak_bytes, limit)
    assert step_memory(setting, found).peak_bytes <= limit < step_memory(setting, found + 1).peak_bytes
