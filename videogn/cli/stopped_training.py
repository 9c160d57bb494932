"""fit, validate and test where they are asked to end: what is written first, the line that says how to go on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from lightning.pytorch import Trainer

from videogn.cli.closing_lines import how_to_go_on, interrupted_lines
from videogn.cli.exits import ANEW, fail
from videogn.system.blocked import ending_although_blocked
from videogn.system.first_process import tell_first
from videogn.system.stopping import Stopped, stoppable, stopping_later
from videogn.training.callbacks.stop_between_steps import StopBetweenSteps

_log = logging.getLogger(__name__)


@contextmanager
def stopping_in_order(trainer: Trainer, command: str) -> Iterator[None]:
    """Let a request to end come out as one: Lightning would end with status 0 or 1, or not at all within a Slurm job.

    Args:
        trainer: Trainer that runs in the block.
        command: fit, validate or test.

    Raises:
        Stopped: The process was asked to end. A training run has written its checkpoint.
        SystemExit: Likewise, in other processes than the first, of which nobody asks for a status: Lightning kills the
            first one where another ends with any but 0.
    """
    trainer._signal_connector.register_signal_handlers = lambda: None  # type: ignore[method-assign]
    if trainer.world_size > 1:
        _end_while_waiting(trainer)
    callbacks: list[Any] = trainer.callbacks  # type: ignore[attr-defined]
    try:
        if command != "fit":
            with stoppable():
                yield
            return
        with stopping_later() as later:
            callbacks.insert(0, StopBetweenSteps(later))
            yield
    except Stopped as stop:
        if not trainer.is_global_zero:
            if command != "fit" or not trainer.global_step:  # after a step, all have agreed about it
                tell_first(stop.number)
            raise SystemExit(0) from stop
        if command == "fit":
            for line in interrupted_lines(trainer):
                _log.info("%s", line)
            stop.how = how_to_go_on(trainer)
        raise


def _end_while_waiting(trainer: Trainer) -> None:
    """Let a request to end come through where the processes of a run wait for one another before they begin."""
    strategy: Any = trainer.strategy
    wait_for_others = strategy.setup_environment

    def end(number: int) -> int:
        if strategy.launcher is not None:
            strategy.launcher.kill(number)  # the other processes of this machine
        if not trainer.is_global_zero:
            tell_first(number)
            return 0
        with suppress(SystemExit):
            fail(f"interrupted: {ANEW}")
        return 128 + number

    def set_up() -> None:
        with ending_although_blocked(end):
            wait_for_others()

    strategy.setup_environment = set_up
