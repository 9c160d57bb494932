"""Callbacks for tests: a training whose numbers stop being finite, and what every step of it left."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from lightning.pytorch import Callback, Trainer


class Poison(Callback):
    """Makes some batches' logits NaN, or the weights infinite after some batch.

    Args:
        batches: batches, counted from the beginning of the training, whose logits are NaN.
        rank: process that is to be poisoned; all of them without it.
        weights_after: batch after whose step a weight becomes infinite.
        then: whether an error of another kind follows at the next batch.
    """

    def __init__(
        self,
        batches: Sequence[int] = (),
        rank: int | None = None,
        weights_after: int | None = None,
        then: bool = False,
    ) -> None:
        self.batches, self.rank, self.weights_after, self.then = batches, rank, weights_after, then
        self._hook: Any = None

    def on_train_batch_start(self, trainer: Trainer, pl_module: Any, batch: Any, batch_idx: int) -> None:
        at = trainer.fit_loop.total_batch_idx
        if self.then and self.weights_after is not None and at > self.weights_after:
            raise ValueError("as asked")
        if at in self.batches and self.rank in (None, trainer.global_rank):
            self._hook = pl_module.net.register_forward_hook(lambda net, inputs, logits: logits * float("nan"))
            first = next(pl_module.net.children())  # so that running statistics are met by NaN as well
            self._pre = first.register_forward_pre_hook(lambda module, inputs: (inputs[0] * float("nan"),))

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._pre.remove()
            self._hook = None
        if trainer.fit_loop.total_batch_idx == self.weights_after:
            with torch.no_grad():
                next(pl_module.net.parameters()).view(-1)[0] = float("inf")


class States(Callback):
    """Keeps weights, running statistics and momenta after every batch of the last training, in `after`."""

    after: ClassVar[list[Any]] = []

    def on_train_start(self, trainer: Trainer, pl_module: Any) -> None:
        States.after.clear()

    def on_train_batch_end(self, trainer: Trainer, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        momenta = [state["momentum_buffer"] for state in trainer.optimizers[0].state.values()]
        States.after.append(copy.deepcopy([*pl_module.state_dict().values(), *momenta]))


class PoisonValidation(Callback):
    """Makes the logits of every validation NaN.

    Args:
        rank: process that is to be poisoned; all of them without it.
    """

    def __init__(self, rank: int | None = None) -> None:
        self.rank = rank

    def on_validation_start(self, trainer: Trainer, pl_module: Any) -> None:
        if self.rank in (None, trainer.global_rank):
            pl_module.net.register_forward_hook(lambda net, inputs, logits: logits * float("nan"))
