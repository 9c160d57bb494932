"""Progress on standard error: bars in a terminal, a line now and then elsewhere, so that logs stay readable."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from videogn.cli.plain_console import PlainConsole

if TYPE_CHECKING:
    from videogn.study import Cell, CellState


@contextmanager
def bars() -> Iterator[Callable[[str, int, int | None], None]]:
    """Show the progress of several tasks, one after the other; the bars are gone at the end.

    Yields:
        A function to call with (name of the task, done, total); the total is None while it is unknown.
    """
    console = PlainConsole(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    announced: set[str] = set()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:

        def advance(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=None)
            progress.update(tasks[name], completed=done, total=total)
            if total is not None and total > 1 and name not in announced and not console.is_terminal:
                announced.add(name)
                console.print(f"{name} ({total}) ...")

        yield advance


@contextmanager
def bar(name: str) -> Iterator[Callable[[int, int], None]]:
    """Show the progress of one task.

    Args:
        name: Name of the task, for instance "Copying".

    Yields:
        A function to call with (done, total).
    """
    with bars() as advance:
        advance(name, 0, None)
        yield functools.partial(advance, name)


class StudyProgress:
    """A row for every cell at work, and a bar with the time left for all of them; plain lines without a terminal.

    The work of a cell is taken to be proportional to its clip length. Several threads may call it, since rich locks.
    """

    _TEST_SHARE = 0.1  # share of testing in a cell's work
    _LINE_SECONDS = 30  # seconds between two lines without a terminal

    def __init__(self) -> None:
        console = PlainConsole(stderr=True)
        self._console = console
        self._started = self._printed = time.monotonic()
        self._done: dict[Cell, float] = {}
        self._at_start: dict[Cell, float] = {}
        self._rows: dict[Cell, TaskID] = {}
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
        )
        self._progress = Progress(*columns, console=console, disable=not console.is_terminal)
        self._all = self._progress.add_task("all cells", total=1.0, state="")

    def __enter__(self) -> StudyProgress:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def __call__(self, state: CellState) -> None:
        """Show a cell's new state."""
        if state.cell not in self._rows:
            self._rows[state.cell] = self._progress.add_task(state.cell.name, total=1.0, state="")
            self._at_start[state.cell] = self._share(state)
        self._done[state.cell] = self._share(state)
        part = f" {state.done:.0%}" if state.phase == "training" else ""
        # A terminal has fewer lines than a study has cells: only cells at work, or failed, are shown.
        shown = state.phase in ("training", "testing", "failed")
        self._progress.update(
            self._rows[state.cell], completed=self._done[state.cell], state=state.phase + part, visible=shown
        )
        done = self._weighted(self._done)
        finished = sum(share == 1.0 for share in self._done.values())
        cells = f"{finished}/{len(self._done)} ended, {self._time_left(done)}"
        self._progress.update(self._all, completed=done, state=cells)
        if not self._console.is_terminal:
            self._print_line(state, done)

    def _print_line(self, state: CellState, done: float) -> None:
        ended = state.phase in ("finished", "failed", "stopped")
        if ended or time.monotonic() - self._printed > self._LINE_SECONDS:
            self._printed = time.monotonic()
            what = f"{state.cell.name} {state.phase}; " if ended else ""
            line = f"{what}{done:.0%} of all cells done, {self._time_left(done)}"
            self._console.print(line, soft_wrap=True)

    def _share(self, state: CellState) -> float:
        if state.phase in ("training", "waiting", "stopped"):
            return (1 - self._TEST_SHARE) * state.done
        return 1 - self._TEST_SHARE if state.phase == "testing" else 1.0

    def _weighted(self, shares: dict[Cell, float]) -> float:
        return sum(cell.clip_length * share for cell, share in shares.items()) / sum(c.clip_length for c in shares)

    def _time_left(self, done: float) -> str:
        elapsed = time.monotonic() - self._started
        text = f"{timedelta(seconds=round(elapsed))} elapsed"
        before = self._weighted(self._at_start)
        if done >= 1:
            return text
        if done <= before:
            return f"{text}, time left not known yet"
        return f"{text}, about {timedelta(seconds=round(elapsed * (1 - done) / (done - before)))} left"
