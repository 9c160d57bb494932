"""Clocks: which one counts, what a turn is, and when work is warm."""

from __future__ import annotations

import pytest
import torch

from videogn.bench.clocks import _seconds, clock_of, times_of, warm_up


@pytest.mark.parametrize(
    ("took", "turns"),
    [
        ([1.0, 1.0, 1.0, 9.0], 3),  # nothing to tune
        ([60.0, 0.2, 0.2, 0.2, 9.0], 4),  # compiled in the first
        ([60.0, 60.0, 0.2, 0.2, 0.2, 9.0], 5),  # and again in the second
        ([1.0, 0.85, 0.7, 0.6, 0.59, 0.6, 9.0], 6),  # nine tenths or more count as no quicker
        ([0.8**turn for turn in range(20)], 12),  # in any case
    ],
)
def test_work_is_warm_when_it_gets_no_quicker(took, turns):
    left = iter(took)
    assert warm_up(lambda: next(left)) == min(took[:turns])
    assert len(list(left)) == len(took) - turns


@pytest.mark.parametrize(("seconds", "times"), [(2.0, 1), (0.05, 1), (0.02, 3), (0.0001, 20), (0.0, 20)])
def test_short_work_is_repeated(seconds, times):
    assert times_of(seconds) == times


def test_seconds_are_those_of_one_time():
    now, done = iter([10.0, 16.0]), []
    assert _seconds(lambda: next(now), lambda: done.append(1), 3) == 2.0
    assert len(done) == 3


@pytest.mark.parametrize(("threads", "name"), [(1, "processor"), (2, "wall")])
def test_the_clock_of_a_processor(threads, name):
    clock = clock_of(torch.device("cpu"), threads)
    assert clock.name == name
    assert clock.seconds(lambda: sum(range(10_000)), 5) > 0


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_events_on_a_gpu_agree_with_the_wall():
    from time import perf_counter

    one = torch.randn(4096, 4096, device="cuda")
    seconds = clock_of(torch.device("cuda"), 1).seconds(lambda: one @ one, 20)
    torch.cuda.synchronize()
    started = perf_counter()
    for _ in range(20):
        one @ one
    torch.cuda.synchronize()
    assert seconds == pytest.approx((perf_counter() - started) / 20, rel=0.3)
