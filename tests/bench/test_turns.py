"""Things take turns in rounds; one that fails is left out with its reason, and time that is over ends it."""

from __future__ import annotations

import pytest

from videogn.bench.turns import reason_of, take_turns


class _Thing:
    def __init__(self, name, log, fails_at=None):
        self.name, self.log, self.fails_at, self.count = name, log, fails_at, 0

    def turn(self):
        self.count += 1
        if self.count == self.fails_at:
            raise RuntimeError("out of memory\nTried to allocate")
        self.log.append(self.name)
        return self.count


def _last(states):
    *_, last = states
    return last


def test_rounds_go_forwards_and_backwards():
    log = []
    entries = _last(take_turns([lambda name=name: _Thing(name, log) for name in "abc"], rounds=3))
    assert "".join(log) == "abccbaabc"
    assert [entry.turns for entry in entries] == [[1, 2, 3]] * 3
    assert [entry.error for entry in entries] == [None] * 3


def test_what_fails_is_left_out_and_its_memory_released():
    log, released = [], []

    def refused():
        raise ValueError("no C++ compiler")

    openers = [lambda: _Thing("a", log), refused, lambda: _Thing("c", log, fails_at=2)]
    entries = _last(take_turns(openers, rounds=3, released=lambda: released.append(1)))
    assert "".join(log) == "acaa"
    assert [entry.error for entry in entries] == [None, "no C++ compiler", "out of memory"]
    assert [entry.turns for entry in entries] == [[1, 2, 3], [], [1]]
    assert entries[2].runner is None
    assert len(released) == 2


def test_every_state_is_handed_out():
    """After each thing that is opened, and after each round."""
    states = take_turns([lambda: _Thing("a", []), lambda: _Thing("b", [])], rounds=2)
    assert [[len(entry.turns) for entry in state] for state in states] == [[0, 0], [0, 0], [1, 1], [2, 2]]


def test_time_that_is_over():
    """Nothing is opened in the last quarter, and no round begun after the end."""
    clock = iter([0.0, 0.0, 74.0, 76.0, 80.0, 99.0, 101.0])  # the start, three things, three rounds
    log = []
    openers = [lambda name=name: _Thing(name, log) for name in "abc"]
    entries = _last(take_turns(openers, rounds=9, seconds=100.0, now=lambda: next(clock)))
    assert "".join(log) == "abba"
    assert [entry.error for entry in entries] == [None, None, "left out: the 100 s were over"]


def test_rounds_that_are_taken_whatever_the_time():
    clock = iter([0.0, 101.0])  # the start, the second round
    log = []
    openers = [lambda name=name: _Thing(name, log) for name in "ab"]
    entries = _last(take_turns(openers, rounds=9, seconds=100.0, least_rounds=1, now=lambda: next(clock)))
    assert "".join(log) == "ab"
    assert [entry.error for entry in entries] == [None, None]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("crop must be >= 17, got 16"), "crop must be >= 17, got 16"),
        (RuntimeError("\nbackend='inductor' raised:\nNo compiler\n  at x"), "backend='inductor' raised: No compiler"),
        (NotImplementedError(), "NotImplementedError"),
    ],
)
def test_a_reason_is_one_line(error, reason):
    assert reason_of(error) == reason
