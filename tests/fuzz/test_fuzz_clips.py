"""Clip arithmetic against its definitions, written once more in whole numbers, fractions and plain floats."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from fuzzing import fuzzed
from hypothesis import example
from hypothesis import strategies as st

from videogn.video.clips import PROTOCOLS, centre_clip, clip_indices, clip_step, clips_from, random_clip

_SIZES = {
    "frames": st.one_of(st.integers(1, 40), st.integers(1, 200_000)),
    "length": st.integers(1, 64),
    "interval": st.integers(1, 16),
}
_COUNT = st.integers(1, 40)
_FPS = st.one_of(st.sampled_from((24.0, 25.0, 29.97, 30.0, 60.0)), st.floats(0.5, 240, allow_subnormal=False))
#: Frames of which float32, in which SlowFast counts, no longer tells the fractions apart.
_FLOAT32 = 2.0**-22


def starts_of(protocol: str, frames: int, length: int, interval: int, count: int, fps: float) -> list[Fraction]:
    """Where the clips start, as the docstring of `clip_indices` has it."""
    size = max(Fraction(1), Fraction(length * interval) * Fraction(fps) / 30)
    if protocol == "nonlocal":
        return [Fraction(frames * j // count) for j in range(count)]
    if protocol == "slowfast":
        return [max(frames - size, Fraction(0)) * j / count for j in range(count)]
    if protocol == "slowfast_offset":
        room = max(frames - size, Fraction(0))
        return [Fraction(room / (count - 1) // 1 * j if count > 1 else room / 2 // 1) for j in range(count)]
    if protocol == "endpoint":
        room = max(frames - length * interval, 0)
        return [Fraction(round(Fraction(room * j, max(count - 1, 1)))) for j in range(count)]
    room = max(frames - (length - 1) * interval - 1, 0)
    if length == 1:
        return [Fraction(math.floor(j * (frames / count) + frames / count / 2)) for j in range(count)]
    return [Fraction(round(j * (room / (count - 1))) if count > 1 else room // 2) for j in range(count)]


@pytest.mark.parametrize("protocol", PROTOCOLS)
@fuzzed(0.5, **_SIZES, count=_COUNT, fps=_FPS)
@example(frames=1, length=64, interval=16, count=40, fps=240.0)
@example(frames=2, length=1, interval=1, count=1, fps=0.5)
def test_clips_of_a_test(protocol, frames, length, interval, count, fps):
    sizes = {"clip_length": length, "interval": interval}
    found = clip_indices(frames, **sizes, num_clips=count, protocol=protocol, fps=fps)
    assert found.shape == (count, length)
    assert found.dtype == np.int64
    assert 0 <= found.min() <= found.max() < frames
    starts = starts_of(protocol, frames, length, interval, count, fps)
    assert starts == sorted(starts)
    if protocol.startswith("slowfast"):
        size = max(Fraction(1), Fraction(length * interval) * Fraction(fps) / 30)
        exact = [[start + (size - 1) * t / max(length - 1, 1) for t in range(length)] for start in starts]
        off = np.array([[float(value) for value in row] for row in exact])
        near = _FLOAT32 * (frames + float(size)) + 1e-9
        assert np.all(np.minimum(np.floor(off - near), frames - 1) <= found)
        assert np.all(found <= np.minimum(np.floor(off + near), frames - 1)) or protocol == "slowfast_offset"
        assert np.all(np.diff(found, axis=1) >= 0)
    else:
        whole = np.array([[int(start) + t * interval for t in range(length)] for start in starts])
        wanted = whole % frames if protocol in ("nonlocal", "mmaction2") else np.minimum(whole, frames - 1)
        np.testing.assert_array_equal(found, wanted)
        again = clips_from(np.array([int(start) for start in starts]), frames, **sizes, protocol=protocol)
        np.testing.assert_array_equal(found, again)
        assert clip_step(**sizes, protocol=protocol) == interval


@fuzzed(**_SIZES, seed=st.integers(0, 2**32))
def test_clips_of_training(frames, length, interval, seed):
    sizes = {"clip_length": length, "interval": interval}
    room = max(frames - length * interval, 0)
    for found in (
        random_clip(frames, **sizes, rng=np.random.default_rng(seed)),
        centre_clip(frames, **sizes),
    ):
        start = int(found[0, 0])
        assert found.tolist() == [[(start + t * interval) % frames for t in range(length)]]
        assert 0 <= start <= room
    assert start == room // 2


@fuzzed(0.25, number=st.integers(-(10**20), 0), place=st.integers(0, 3), protocol=st.sampled_from([*PROTOCOLS]))
def test_sizes_that_are_none(number, place, protocol):
    sizes = [8, 4, 2, 3]
    sizes[place] = number
    with pytest.raises(ValueError, match=f"must be > 0, got {number}"):
        clip_indices(sizes[0], clip_length=sizes[1], interval=sizes[2], num_clips=sizes[3], protocol=protocol)
