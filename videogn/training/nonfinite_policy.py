"""A loss that is not finite: the training stops and says where, or leaves out the step."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, get_args

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor, distributed
from torch.optim import Optimizer

from videogn.axes import Batch
from videogn.checks import check_choice
from videogn.choices import NonfiniteName
from videogn.system.displayable import displayable
from videogn.system.ranks import of_all_processes, world_size
from videogn.system.sizes import counted
from videogn.training.finite import all_finite
from videogn.training.step_buffers import StepBuffers

_log = logging.getLogger(__name__)

#: Steps that `skip` leaves out one after the other, and in a whole training run, before it stops all the same.
MAX_IN_A_ROW = 10
MAX_IN_ALL = 100
#: Videos that a line names.
_MAX_NAMES = 8
#: What may help, for the end of a line.
_ADVICE = "lower --model.lr, or try --trainer.gradient_clip_val 1 or another --trainer.precision"
#: Loss scale of 16-mixed at which not even the smallest number of 16 bits is kept; it begins at 2^16.
_LEAST_SCALE = 2.0**-24


@dataclass
class _Step:
    """An optimiser step whose numbers are being checked.

    Attributes:
        number: Number of the step, the first one 1.
        epoch: Number of the epoch, from 0, as in the log.
        lr: Learning rate of the step.
        losses: Loss of each accumulated batch, on the device.
        paths: Paths of the videos of each accumulated batch.
        finite: Whether losses and gradients are finite in all processes, shape (); in page-locked memory on CUDA.
        ready: Event after which `finite` may be read; None where it can be at once.
    """

    number: int
    epoch: int
    lr: float
    losses: list[Tensor]
    paths: list[list[str]]
    finite: Tensor
    ready: torch.cuda.Event | None = None

    def is_finite(self) -> bool:
        if self.ready is not None:
            self.ready.synchronize()
        return bool(self.finite)

    def describe(self) -> tuple[str, list[str]]:
        """Say what is not finite and when, and find the videos. Every process has to call this."""
        own = [(float(loss), paths) for loss, paths in zip(self.losses, self.paths, strict=True)]
        batches = [batch for part in of_all_processes(own) for batch in part]
        bad = [(loss, paths) for loss, paths in batches if not torch.tensor(loss).isfinite()]
        what = f"loss is {bad[0][0]}" if bad else "gradient is not finite"
        names = [displayable(path) for _, paths in bad or batches for path in paths]
        return f"{what} at step {self.number} (epoch {self.epoch}, learning rate {self.lr:.3g})", names


class NonfinitePolicy(Callback):
    """Stops a training run, or skips its step, when loss or gradients are NaN or infinite.

    Before every optimiser step the losses of its batches and its gradients are looked at, in all processes together, so
    that all decide alike. With `stop` on CUDA the answer is read one step later, which costs no waiting; no checkpoint
    comes between, and none is written of weights that are not finite. `skip` waits for the device in every step. A
    skipped step changes no weight, no state of the optimiser and no running statistics; the schedule counts it. It logs
    `train/skipped`, the skipped steps of an epoch.

    With 16-mixed an infinite gradient of a finite loss is part of finding the loss scale, and is left to it.

    Args:
        policy: `stop` or `skip`. More than MAX_IN_A_ROW skipped steps one after the other, or MAX_IN_ALL in all, stop
            the training run too.

    Raises:
        ValueError: If there is no such policy.
    """

    def __init__(self, policy: NonfiniteName = "stop") -> None:
        check_choice("nonfinite", policy, get_args(NonfiniteName))
        self.policy = policy
        self._paths: list[str] = []  # of the batch in hand
        self._losses: list[Tensor] = []  # since the last step
        self._videos: list[list[str]] = []
        self._unread: _Step | None = None
        self._buffers = StepBuffers()
        self._exempt: set[str] = set()
        self._lr: float | None = None  # of the last step
        self._unfit: list[str] = []  # videos of the first bad batch of a validation, in this process
        self._in_a_row = self._in_all = self._in_epoch = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._losses, self._videos, self._unread = [], [], None
        # A mask of a network from outside may well hold infinities.
        self._exempt = {name for name, buffer in pl_module.named_buffers() if not all_finite([buffer], buffer.device)}
        self._keep_buffers(pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._in_epoch = 0

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int) -> None:
        self._paths = [sample.path for sample in batch.samples]

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        self._losses.append(loss.detach())
        self._videos.append(self._paths)

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Look at the gradients that the step would take, after they were accumulated and averaged over processes.

        Raises:
            FloatingPointError: If they, or those of the step before, are not finite; in all processes at once.
        """
        self._settle()
        scaler: Any = trainer.scaler
        if scaler is not None and scaler.get_scale() < _LEAST_SCALE:  # which waits, but so would the scaler's own step
            raise FloatingPointError(
                f"the gradients have not been finite for many steps (step {trainer.global_step + 1}): the loss scale "
                f"of {trainer.precision} has come down to {scaler.get_scale():.0e}; try --trainer.precision bf16-mixed"
            )
        finite = all_finite(self._losses, pl_module.device)
        if scaler is None:
            grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            finite = finite & all_finite(grads, pl_module.device)
        if world_size() > 1:
            flag = finite.int()
            distributed.all_reduce(flag, distributed.ReduceOp.MIN)
            finite = flag > 0
        self._lr = float(optimizer.param_groups[0]["lr"])
        step = _Step(trainer.global_step + 1, trainer.current_epoch, self._lr, self._losses, self._videos, finite)
        self._losses, self._videos = [], []
        if self.policy == "stop":
            self._unread = _read_later(step)
            if self._unread.ready is None:
                self._settle()
        elif step.is_finite():
            self._in_a_row = 0
        else:
            self._skip(step, trainer, pl_module, optimizer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        if not self._losses:  # none are being accumulated for the next step
            self._keep_buffers(pl_module)

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._settle()
        self._unfit = []

    def refuse_validation(self, trainer: Trainer, batch: Batch) -> None:
        """Stop because of a batch of a validation: at once, or at its end if there are other processes.

        Args:
            trainer: Trainer of the run.
            batch: Batch whose logits are not finite.

        Raises:
            FloatingPointError: If this process works alone.
        """
        self._unfit = self._unfit or [displayable(sample.path) for sample in batch.samples]
        if world_size() == 1:
            self.on_validation_epoch_end(trainer, trainer.lightning_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop in all processes together: one that fails alone leaves the others waiting for it.

        Raises:
            FloatingPointError: If the logits of a batch were not finite in any process.
        """
        names = [name for part in of_all_processes(self._unfit) for name in part]
        if not names:
            return
        when, advice = "", "the weights may not be finite; or try another --trainer.precision"
        if trainer.state.fn == TrainerFn.FITTING:
            lr = trainer.optimizers[0].param_groups[0]["lr"] if self._lr is None else self._lr
            when = f" after step {trainer.global_step} (epoch {trainer.current_epoch}, learning rate {lr:.3g})"
            advice = _ADVICE
        raise FloatingPointError(
            f"the network gave logits that are not finite (NaN or infinity) in the validation{when}, for "
            f"{_some(names, 'validation')}; {advice}"
        )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._settle()
        if self.policy == "skip":
            pl_module.log("train/skipped", float(self._in_epoch), rank_zero_only=True)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look at the last weights too, which no further step does.

        Raises:
            FloatingPointError: If they are not finite.
        """
        self._settle()
        self.check_weights(pl_module.state_dict(), trainer.global_step)

    def check_weights(self, state_dict: dict[str, Any], steps: int) -> None:
        """Refuse weights that are not finite, before they are written.

        Args:
            state_dict: Weights and buffers.
            steps: Number of steps made.

        Raises:
            FloatingPointError: If the last step was not finite, or they are not.
        """
        self._settle()
        tensors = [tensor for name, tensor in state_dict.items() if name not in self._exempt]
        if not all_finite(tensors, tensors[0].device):
            raise FloatingPointError(
                f"the weights are not finite after step {steps}: no checkpoint is written of them; {_ADVICE}"
            )

    def state_dict(self) -> dict[str, Any]:
        """Return how many steps were skipped, the same in all processes."""
        return {"in_a_row": self._in_a_row, "in_all": self._in_all, "in_epoch": self._in_epoch}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue to count."""
        self._in_a_row, self._in_all, self._in_epoch = state["in_a_row"], state["in_all"], state["in_epoch"]

    def _keep_buffers(self, pl_module: LightningModule) -> None:
        if self.policy == "skip":
            self._buffers.keep(pl_module)

    def _settle(self) -> None:
        """Read what is known of the step before."""
        step, self._unread = self._unread, None
        if step is None or step.is_finite():
            return
        where, names = step.describe()
        videos = _some(names, f"step {step.number}")
        raise FloatingPointError(
            f"the {where}, in a batch of {videos}; {_ADVICE}; --model.nonfinite skip leaves out a few such steps"
        )

    def _skip(self, step: _Step, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        where, names = step.describe()
        self._in_a_row += 1
        self._in_all += 1
        self._in_epoch += 1
        videos = _some(names, f"step {step.number}")
        if self._in_a_row > MAX_IN_A_ROW or self._in_all > MAX_IN_ALL:
            before = f"{MAX_IN_A_ROW} steps before it" if self._in_a_row > MAX_IN_A_ROW else f"{MAX_IN_ALL} other steps"
            raise FloatingPointError(f"the {where}, in a batch of {videos}; {before} were skipped already; {_ADVICE}")
        if trainer.is_global_zero:
            _log.warning("the %s, in a batch of %s; the step is skipped (%d so far)", where, videos, self._in_all)
        optimizer.zero_grad(set_to_none=True)  # optimisers leave a weight without a gradient alone, momentum included
        self._buffers.put_back(pl_module)


def _read_later(step: _Step) -> _Step:
    """Send the answer to the host without waiting for it, where the device works beside the host."""
    if step.finite.device.type == "cuda":
        host = torch.empty((), dtype=torch.bool, pin_memory=True)
        host.copy_(step.finite, non_blocking=True)
        step.finite, step.ready = host, torch.cuda.Event()
        step.ready.record()
    return step


def _some(names: list[str], batch: str) -> str:
    """Name a few videos; if there are more, a line of the log names all of the batch."""
    if len(names) > _MAX_NAMES:
        _log.warning("videos of %s: %s", batch, ", ".join(names))
        return f"{', '.join(names[:_MAX_NAMES])} and {counted(len(names) - _MAX_NAMES, 'other video')}"
    return ", ".join(names)
