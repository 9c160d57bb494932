"""Several things measured side by side: in each round every one has a turn, so that a slow minute hits all alike."""

from __future__ import annotations

import gc
import math
import traceback
from collections.abc import Callable, Iterator, Sequence
from time import monotonic
from typing import Generic, Protocol, TypeVar

Turn = TypeVar("Turn")
Turn_co = TypeVar("Turn_co", covariant=True)
#: Share of the time in which things may still be opened.
_OPENING = 0.75


class Runner(Protocol[Turn_co]):
    """A thing that is ready to be measured."""

    def turn(self) -> Turn_co:
        """Measure it once."""


class Entry(Generic[Turn]):
    """What became of one of the things.

    Attributes:
        runner: The thing, if it could be opened.
        turns: What its turns measured; those of one index belong to one round.
        error: Reason why it was not measured, or not to the end.
    """

    def __init__(self) -> None:
        self.runner: Runner[Turn] | None = None
        self.turns: list[Turn] = []
        self.error: str | None = None


def take_turns(
    openers: Sequence[Callable[[], Runner[Turn]]],
    *,
    rounds: int,
    seconds: float = math.inf,
    least_rounds: int = 0,
    now: Callable[[], float] = monotonic,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
    released: Callable[[], object] = gc.collect,
) -> Iterator[list[Entry[Turn]]]:
    """Open all things, and then measure them in rounds; one that fails is left out from then on, with its reason.

    Every second round goes backwards, so that none always comes after the same one.

    Args:
        openers: Functions that make a thing ready.
        rounds: Number of rounds.
        seconds: Time for all. No thing is opened in its last quarter, and no round begun after it. Default: any.
        least_rounds: Number of rounds for which everything is opened and measured whatever the time. Default: 0.
        now: The time. Default: that of the system.
        progress: Called with (name of the part, done, total).
        released: Called after a failure, to get its memory back.

    Yields:
        What is known so far, in the order of `openers`, after each thing and after each round: one list, which goes on
        changing.
    """
    started = now()
    entries: list[Entry[Turn]] = [Entry() for _ in openers]
    for number, (entry, opener) in enumerate(zip(entries, openers, strict=True)):
        progress("Warming up", number, len(openers))
        if least_rounds == 0 and now() - started > _OPENING * seconds:
            entry.error = f"left out: the {seconds:.0f} s were over"
        else:
            try:
                entry.runner = opener()
            except Exception as error:  # whatever a compiler or a kernel raises; its row says so
                _fail(entry, error, released)
        yield entries
    for turn in range(rounds):
        if turn >= least_rounds and now() - started > seconds:
            return
        progress("Measuring", turn, rounds)
        running = [entry for entry in entries if entry.error is None and entry.runner is not None]
        for entry in running if turn % 2 == 0 else reversed(running):
            assert entry.runner is not None
            try:
                entry.turns.append(entry.runner.turn())
            except Exception as error:
                _fail(entry, error, released)
        yield entries


def _fail(entry: Entry[Turn], error: Exception, released: Callable[[], object]) -> None:
    entry.error, entry.runner = reason_of(error), None
    traceback.clear_frames(error.__traceback__)  # they hold the activations
    released()


def reason_of(error: Exception) -> str:
    """One line of an error: its first, and the next one where that only announces it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]
