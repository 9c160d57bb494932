"""Tests of drawn cases: the same few in every run, or as many others as `FUZZ_CASES` says.

    pytest tests/fuzz                        # a few seconds each
    FUZZ_CASES=20000 pytest tests/fuzz       # for hours, other cases every time

What a longer run finds is printed with the line that repeats it; it becomes an `@example` or a test of its own.
"""

from __future__ import annotations

import functools
import os
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

#: Name of the environment variable with the number of cases of a test whose cases are cheap.
VARIABLE = "FUZZ_CASES"
#: Cases that each test has run, by the name of its function.
RUN: Counter[str] = Counter()
_USUAL = 120
#: Processor seconds that no case may take.
_LONGEST = 20.0


def fuzzed(share: float = 1.0, **drawn: st.SearchStrategy[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test of drawn cases.

    Args:
        share: Number of cases as a share of those of a cheap test. Default: 1.
        drawn: Strategies by argument.
    """
    longer = os.environ.get(VARIABLE)
    usual = settings(
        max_examples=max(round(share * int(longer or _USUAL)), 1),
        derandomize=longer is None,
        # A longer run makes what it found as small as it can, which may take minutes.
        phases=list(Phase) if longer else [Phase.explicit, Phase.generate],
        print_blob=longer is not None,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def counted(*arguments: Any, **named: Any) -> None:
            RUN[test.__name__] += 1
            started = time.process_time()
            test(*arguments, **named)
            assert time.process_time() - started < _LONGEST

        return usual(given(**drawn)(counted))

    return decorate


def outcome(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """Call a function; a refusal in one line is its text, as `Refused`, and any other exception is raised."""
    try:
        return call(*arguments, **named)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        if isinstance(error, UnicodeError):  # a ValueError that nobody has made a message of
            raise
        text = str(error)
    assert len(text.splitlines()) == 1, f"a refusal is one line, got {text!r}"
    return Refused(text)


def most_memory() -> int:
    """Most bytes that this process has had in memory; what getrusage says begins with that of the parent."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


class Refused(str):
    """Message of a refusal."""

    __slots__ = ()


def mutants(original: bytes, *, inserts: Sequence[bytes] = (), places: Sequence[int] = ()) -> st.SearchStrategy[bytes]:
    """Draw what becomes of a file's bytes: one to four of flips, cuts, repeats, zeros, moved parts, and inserts.

    Args:
        original: The bytes.
        inserts: Parts that mean something in the format. Default: none.
        places: Where changes begin and end. Default: anywhere.
    """
    anywhere = st.integers(0, len(original))
    ends = st.sampled_from([0, *places, len(original)]) if places else anywhere
    step = st.tuples(
        st.sampled_from(("flip", "cut", "repeat", "zero", "remove", "swap", "insert")),
        ends,
        ends if places else st.one_of(anywhere, st.integers(0, 64)),
        st.sampled_from(inserts) | st.binary(max_size=16) if inserts else st.binary(max_size=64),
        st.integers(0, 7),
    )
    if places:  # the second number is the end
        step = step.map(lambda drawn: (drawn[0], drawn[1], abs(drawn[2] - drawn[1]), *drawn[3:]))
    return st.lists(step, min_size=1, max_size=4).map(lambda steps: functools.reduce(_mutated, steps, original))


def _mutated(data: bytes, step: tuple[str, int, int, bytes, int]) -> bytes:
    kind, start, length, part, bit = step
    start = min(start, len(data))
    here, after = data[start : start + length], data[start + length :]
    before = data[:start]
    if kind == "flip":
        return before + bytes(value ^ (1 << bit) for value in data[start : start + 1]) + data[start + 1 :]
    return {
        "cut": before,
        "repeat": before + here * (2 + bit) + after,
        "zero": before + bytes(len(here)) + after,
        "remove": before + after,
        "swap": after + here + before,
        "insert": before + part * (1 + bit) + data[start:],
    }[kind]
