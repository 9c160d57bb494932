"""A training run whose loss stays at chance: one warning, with what to try."""

from __future__ import annotations

import logging
import math
from collections import Counter
from typing import Any, NamedTuple

import torch
from lightning.pytorch import Callback, Trainer

from videogn.axes import Batch
from videogn.training.course import elapsed_share

_log = logging.getLogger(__name__)

#: Share of the run that is looked at as a whole, and its least number of optimiser steps.
WINDOW, MIN_STEPS = 0.1, 20
#: Share of the run before which no loss is judged, and that of a long one, after so many optimiser steps at least: a
#: slow beginning takes a large part of a short run only.
AFTER, AFTER_IF_LONG, LONG = 0.5, 0.3, 2000
#: A mean loss lower than chance by this share of it has left chance.
MARGIN = 0.02
#: A fall from one window to the next of more standard errors than this is progress.
_SIGNIFICANT = 2.0

_RECIPE = "from random weights, add --config from_scratch (AdamW, warm-up, clipped gradients)"
_OTHERS = "try another --model.lr, or weights to start from (--model.init_from)"


class Window(NamedTuple):
    """Mean loss of a part of the run.

    Attributes:
        mean: Mean over its batches.
        error: Standard error of the mean.
    """

    mean: float
    error: float


def at_chance(window: Window, before: Window, chance: float) -> bool:
    """Whether a loss is at chance in two parts of a run, and does not fall from one to the other.

    Args:
        window: Losses of a part of the run.
        before: Those of the part before.
        chance: Loss of the best answer that is the same for every clip; 0 where all have one class.
    """
    falls = before.mean - window.mean > _SIGNIFICANT * (window.error**2 + before.error**2) ** 0.5
    return chance > 0 and min(window.mean, before.mean) > (1 - MARGIN) * chance and not falls


class TrainingAtChance(Callback):
    """Warns once when the training loss is at chance after a part of the run.

    Chance is the loss of the best answer that is the same for every clip: for the cross-entropy the entropy of the
    classes, as they were drawn so far (ln K if all are equally frequent). The run is looked at in windows of a tenth
    and at least 20 optimiser steps. From 50 % of it on (30 % if that is 2,000 steps), two windows one after the other
    warn if neither has a mean loss 2 % below chance and the second is not significantly lower than the first. Silent
    for a loss whose chance is not known (see `Objective.chance`). With several processes the first one looks at its own
    batches. It changes nothing.
    """

    def __init__(self) -> None:
        self._warned = False
        self._counts: Counter[int] = Counter()  # of classes among the clips trained on
        self._before: Window | None = None
        self._begin(0, 0.0)

    def _begin(self, step: int, share: float) -> None:
        self._first, self._since, self._batches = step, share, 0
        self._sums = torch.zeros(2)  # of the losses less ln K, and of their squares; on the device

    def state_dict(self) -> dict[str, Any]:
        return {
            "warned": self._warned,
            "counts": dict(self._counts),
            "before": None if self._before is None else tuple(self._before),
            "window": (self._first, self._since, self._batches, self._sums.tolist()),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._warned, self._counts = state_dict["warned"], Counter(state_dict["counts"])
        self._before = None if state_dict["before"] is None else Window(*state_dict["before"])
        self._first, self._since, self._batches, sums = state_dict["window"]
        self._sums = torch.tensor(sums)

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self._warned or not trainer.is_global_zero or not outputs:
            return
        self._counts.update(sample.label for sample in batch.samples)
        near_zero = math.log(len(pl_module.class_names))
        # Lightning has divided the loss. Nothing here waits for the device before the end of a window.
        away = (outputs["loss"] * trainer.accumulate_grad_batches).detach().float() - near_zero
        self._sums = self._sums.to(away.device) + torch.stack((away, away**2))
        self._batches += 1
        share = elapsed_share(trainer)
        if trainer.global_step - self._first < MIN_STEPS or share - self._since < WINDOW - 1e-9:  # shares are rounded
            return
        mean, square = (self._sums / self._batches).tolist()
        window = Window(near_zero + mean, (max(square - mean**2, 0.0) / self._batches) ** 0.5)
        after = AFTER_IF_LONG if trainer.global_step >= LONG else AFTER
        if self._before is not None and share >= after:
            self._judge(window, self._before, share, trainer.global_step, pl_module)
        self._before = window
        self._begin(trainer.global_step, share)

    def _judge(self, window: Window, before: Window, share: float, step: int, pl_module: Any) -> None:
        counts = torch.tensor([self._counts[label] for label in range(len(pl_module.class_names))])
        chance = pl_module.objective.chance(counts)
        if chance is None or not at_chance(window, before, chance):
            return
        self._warned = True
        advice = f"{_RECIPE}; or {_OTHERS}" if pl_module.settings.optimizer is None else _OTHERS
        _log.warning(
            "the training loss has not left chance: %.3f in steps %d to %d, at %.0f %% of the run; the shares of the "
            "classes alone give %.3f; %s",
            *(window.mean, self._first + 1, step, 100 * share, chance, advice),
        )
