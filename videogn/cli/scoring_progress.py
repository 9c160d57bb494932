"""Progress of scoring many videos on standard error: a bar in a terminal, elsewhere a line now and then."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn

from videogn.cli.plain_console import PlainConsole
from videogn.system.displayable import one_line

if TYPE_CHECKING:
    from videogn.data.fallbacks import Fallbacks
    from videogn.inference.bulk.scoring import Result

#: Failures that are named; more are counted.
_NAMED = 20
#: Seconds between two lines without a terminal.
_LINE_SECONDS = 30.0


class ScoringProgress:
    """Counts videos as they are scored, names those that fail, and shows how fast it goes and how long it takes yet.

    Args:
        total: Number of videos; None if it is unknown.
        fallbacks: Counts the videos that another decoder than the one asked for decoded.
        work: What is done to the videos. Default: "Classifying".

    Attributes:
        done: Number of videos that were scored, failed ones among them.
        failed: Number of videos that failed.
        truncated: Number of videos that were scored over a part only.
    """

    def __init__(self, total: int | None, fallbacks: Fallbacks, work: str = "Classifying") -> None:
        self.done = self.failed = self.truncated = 0
        self._known = 0
        self._total = total
        self._work = work
        self._fallbacks = fallbacks
        self._started = self._printed = time.monotonic()
        self._console = PlainConsole(stderr=True)
        columns = (TextColumn("{task.fields[text]}", markup=False), BarColumn(bar_width=None))
        self._bar = Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("", total=total, text="scoring")

    def __enter__(self) -> ScoringProgress:
        self._bar.start()
        if not self._console.is_terminal and self._total is not None and self._total > 1:
            self._say(f"{self._work} ({self._total}) ...")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self.failed > _NAMED:
            self._say(f"{self.failed - _NAMED:,} more failed; their rows say why")
        if self.truncated > _NAMED:
            self._say(f"{self.truncated - _NAMED:,} more decode in part; their rows say how much")
        if (line := self._fallbacks.message()) is not None:
            self._say(line)

    def add(self, prediction: Result, known: int = 0) -> None:
        """Count a video that was scored.

        Args:
            prediction: What was found.
            known: Number of videos before it that did not have to be scored. Default: 0.
        """
        self.done += 1
        if prediction.error is None:
            self._fallbacks.add(prediction.path, prediction.fallback)
            if prediction.truncated is not None:
                self.truncated += 1
                if self.truncated <= _NAMED:
                    self._say(f"{prediction.path}: {prediction.truncated}")
        else:
            self.failed += 1
            if self.failed <= _NAMED:
                self._say(f"{prediction.path}: {prediction.error}")
        self._known = known
        self._show(self._text(known))

    def at(self, seconds: float) -> None:
        """Show how far a long video is scored.

        Args:
            seconds: Place in the video.
        """
        self._show(f"{self._text(self._known)}; the next up to {timedelta(seconds=round(seconds))}")

    def _show(self, text: str) -> None:
        self._bar.update(self._task, completed=self.done + self._known, text=text)
        if not self._console.is_terminal and time.monotonic() - self._printed > _LINE_SECONDS:
            self._printed = time.monotonic()
            self._say(text)

    def _say(self, line: str) -> None:
        print(one_line(line), file=sys.stderr, flush=True)

    def _text(self, known: int) -> str:
        elapsed = time.monotonic() - self._started
        rate = self.done / elapsed if elapsed else 0.0
        of = "" if self._total is None else f" of {self._total:,}"
        speed = f"{rate:,.0f}" if rate >= 100 else f"{rate:.2g}"
        parts = [f"{self.done + known:,}{of}", f"{self.failed:,} failed", f"{speed} videos/s"]
        if self._total is not None and rate:
            left = max(self._total - self.done - known, 0) / rate
            parts.append(f"{timedelta(seconds=round(left))} left")
        return ", ".join(parts)
