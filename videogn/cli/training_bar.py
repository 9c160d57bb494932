"""The progress of fit, validate and test: one line of a terminal, and elsewhere a line now and then."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ProgressBar, RichProgressBar, Timer
from rich.console import Console
from rich.progress import ProgressColumn, Task
from rich.table import Column
from rich.text import Text

from videogn.training.failure_policy import FailurePolicy

_log = logging.getLogger(__name__)
#: Seconds between two lines without a terminal.
_LINE_SECONDS = 30.0


def progress_bar() -> ProgressBar:
    """Make the progress bar, or without a terminal the lines that take its place."""
    return OneLineBar() if Console(stderr=True).is_terminal else ProgressLines()


@dataclass
class _Shown:
    """What a training run's bar shows besides its batches: in another thread, which may not ask the trainer for it."""

    task: Any = None
    values: str = ""
    left: float | None = None


class OneLineBar(RichProgressBar):
    """Lightning's bar in one line of 80 columns: epoch, batches, time left of the run, loss, rate, top-1, failures.

    It is on standard error, with the bars of the other commands.
    """

    def __init__(self) -> None:
        super().__init__(console_kwargs={"stderr": True})
        self._shown = _Shown()
        self._clock: RunClock | None = None

    def configure_columns(self, trainer: Any) -> list[Any]:
        """Return the columns for description, bar, and all that is said in numbers."""
        description, bar, *_ = super().configure_columns(trainer)
        bar.bar_width = None  # what the others leave
        return [description, bar, _State(self._shown)]

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        super().on_train_start(trainer, pl_module)
        self._clock = RunClock(trainer)

    def _get_train_description(self, current_epoch: int) -> str:
        return epoch_in_words(self.trainer).capitalize().ljust(len(self.validation_description))

    def _update_metrics(self, trainer: Any, pl_module: Any) -> None:
        self._shown.values = " ".join(values_in_words(trainer, self.get_metrics(trainer, pl_module)))
        self._shown.left = None if self._clock is None else self._clock.left(trainer)
        self._shown.task = self.train_progress_bar_id


class ProgressLines(ProgressBar):
    """A line of the log every half minute, for output that goes to a file."""

    def __init__(self) -> None:
        super().__init__()
        self._enabled = True
        self._clock: RunClock | None = None
        self._begun = self._said = time.monotonic()

    def disable(self) -> None:
        """Be silent: one process speaks for all."""
        self._enabled = False

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self._begun = self._said = time.monotonic()

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        self._clock = RunClock(trainer)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self._due() and self._clock is not None:
            values = values_in_words(trainer, self.get_metrics(trainer, pl_module))
            where = f"{epoch_in_words(trainer)}, batch {batch_idx + 1}/{self.total_train_batches}"
            self._say(where, *values, self._clock.left(trainer))

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._evaluated(self.validation_description, batch_idx + 1, trainer.num_val_batches)

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._evaluated(self.test_description, batch_idx + 1, trainer.num_test_batches)

    def _evaluated(self, what: str, done: int, batches: list[int | float]) -> None:
        if self._due():
            elapsed, total = time.monotonic() - self._begun, sum(batches)
            left = elapsed * (total - done) / done if self._clock is None else None  # not of the validations of a fit
            self._say(f"{what.lower()}: batch {done}/{total}", left)

    def _due(self) -> bool:
        return self._enabled and time.monotonic() - self._said >= _LINE_SECONDS

    def _say(self, *words: str | float | None) -> None:
        self._said = time.monotonic()
        text = [word if isinstance(word, str) else _duration(word) for word in words if word is not None]
        _log.info("%s", ", ".join(text))


class RunClock:
    """Tells how long a training run still takes, from what this process has done of it, validations included."""

    def __init__(self, trainer: Trainer) -> None:
        self._begun = time.monotonic()
        self._done_before = _part_done(trainer)

    def left(self, trainer: Trainer) -> float | None:
        """Return the seconds, or None while nothing is known."""
        callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
        limits = [each.time_remaining() for each in callbacks if isinstance(each, Timer)]
        known = [limit for limit in limits if limit is not None]
        done, elapsed = _part_done(trainer), time.monotonic() - self._begun
        if done > self._done_before:
            known.append(elapsed * (1 - done) / (done - self._done_before))
        return min(known, default=None)


def epoch_in_words(trainer: Trainer) -> str:
    """Name the epoch, from 1, and how many there are: `epoch 3/10`."""
    of = f"/{trainer.max_epochs}" if (trainer.max_epochs or -1) > 0 else ""
    return f"epoch {trainer.current_epoch + 1}{of}"


def values_in_words(trainer: Trainer, metrics: dict[str, Any]) -> list[str]:
    """Say loss, learning rate, accuracies and failed videos in few letters.

    Args:
        trainer: The trainer.
        metrics: Values that are logged for the progress bar.

    Returns:
        A word or two each, for instance `loss 1.234`.
    """
    words = [_short(name, float(value)) for name, value in metrics.items() if _is_shown(name)]
    rates = [group["lr"] for optimizer in trainer.optimizers[:1] for group in optimizer.param_groups]
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    failed = sum(each.failed for each in callbacks if isinstance(each, FailurePolicy))
    words[1:1] = [f"lr {max(rates):.2g}".replace("e-0", "e-")] if rates else []  # after the loss
    return [*words, f"failed {failed}"] if failed else words


def _is_shown(name: str) -> bool:
    return name != "v_num" and not name.endswith("_epoch")


def _short(name: str, value: float) -> str:
    name = name.rpartition("/")[2].removesuffix("_step")
    return f"{name} {100 * value:.1f}%" if name.startswith("top") else f"{name} {value:.3f}"


def _part_done(trainer: Trainer) -> float:
    """Part of the epochs or steps of a training run that is done, whichever ends it first; 0 where neither does."""
    parts = [0.0]
    if (trainer.max_epochs or -1) > 0:
        trained = trainer.fit_loop.epoch_loop.batch_progress.current.ready / max(trainer.num_training_batches, 1)
        parts.append((trainer.current_epoch + trained) / trainer.max_epochs)  # type: ignore[operator]
    if trainer.max_steps > 0:
        parts.append(trainer.global_step / trainer.max_steps)
    return min(max(parts), 1.0)


def _duration(seconds: float) -> str:
    days, rest = divmod(round(seconds), 24 * 3600)
    return f"{days}d {rest // 3600}h left" if days else f"{timedelta(seconds=rest)} left"


class _State(ProgressColumn):
    """Batches, time left of the run, or of the validation or test that has the bar, and what the run has come to."""

    def __init__(self, shown: _Shown) -> None:
        super().__init__(table_column=Column(no_wrap=True))
        self._shown = shown

    def render(self, task: Task) -> Text:
        of_run = task.id == self._shown.task
        left = self._shown.left if of_run else task.time_remaining
        words = [f"{task.completed:.0f}/{task.total}", "-:--:-- left" if left is None else _duration(left)]
        return Text(" ".join([*words, self._shown.values] if of_run else words))
