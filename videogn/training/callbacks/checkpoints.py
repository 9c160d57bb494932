"""Checkpoints that limit the loss of a killed run to a few minutes."""

from __future__ import annotations

import logging
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io import TorchCheckpointIO
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from videogn.checks import check_choice, require_at_least
from videogn.models.checkpoint_file import check_regular
from videogn.system.files import replacing
from videogn.system.ranks import exchange_due
from videogn.training.history import is_share
from videogn.training.kept_checkpoints import best_of, of_one_folder
from videogn.training.restoring import read_for_lightning
from videogn.training.step_buffers import StepBuffers
from videogn.video.storage import is_url

_log = logging.getLogger(__name__)

#: Name of the best checkpoint, and of the newest where none is best.
_BEST, _NEWEST = "best", "{epoch}"


class RunCheckpoint(ModelCheckpoint):
    """Lightning's ModelCheckpoint that keeps the best checkpoint of a training run and, beside it, always the last.

    `best.ckpt` is the first of those with the best value of `monitor`. `last.ckpt` is written after every validation,
    at the end, and in the middle of an epoch every few minutes: between two optimiser steps, where a resumed run
    continues exactly as this one would, with neither gradients accumulated for the next step nor a validation that has
    not run yet. A new checkpoint replaces the old one atomically, whenever the process is killed. A resumed run takes
    the best one over, into its own folder. Without validations the newest takes the place of the best.

    Args:
        minutes: Least time between two writes of `last.ckpt`. 0 writes it with the other checkpoints only.
        monitor: Value that decides which checkpoint is best, for instance val/loss; null keeps the newest.
        mode: Whether the best value is the largest (max) or the smallest (min). Default: max for accuracies, min for
            losses and all that is no value of a validation.
        filename: Name of the kept checkpoints, for instance {epoch}-{step}. Default: best, or {epoch} where
            several are kept or the newest.
        save_top_k: Number of best checkpoints that are kept.
        **options: Options of ModelCheckpoint.

    Raises:
        ValueError: If `minutes` is negative, or `mode` neither max nor min.
    """

    def __init__(
        self,
        minutes: float = 10.0,
        monitor: str | None = "val/top1",
        mode: str | None = None,
        filename: str | None = None,
        save_top_k: int = 1,
        **options: Any,
    ) -> None:
        require_at_least("minutes", minutes, 0)
        if mode is None:
            mode = "max" if is_share(monitor or "") else "min"
        check_choice("mode", mode, ("max", "min"))
        if filename is None:
            filename = _NEWEST if monitor is None or save_top_k != 1 else _BEST
        super().__init__(monitor=monitor, mode=mode, filename=filename, save_top_k=save_top_k, **options)
        self.minutes = minutes
        self._resumed: dict[str, Any] = {}  # state of the run that this one goes on with
        self._saved_at = time.monotonic()
        self._first_step: int | None = None  # of this process; None before it trains
        self._unwritten_logs = False
        self._buffers = StepBuffers()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        # Another one was chosen on purpose and stays.
        if type(trainer.strategy.checkpoint_io) is TorchCheckpointIO:
            trainer.strategy.checkpoint_io = WholeFiles()

    @property
    def state_key(self) -> str:
        """Return one key whatever is monitored, that of earlier versions: their checkpoints can be gone on from."""
        return self._generate_state_key(
            monitor=None, mode="min", every_n_train_steps=0, every_n_epochs=1, train_time_interval=None
        )

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep what that run has kept, unless it went by another value."""
        state_dict = of_one_folder(state_dict)
        super().load_state_dict(state_dict)
        if state_dict["monitor"] == self.monitor:
            self._resumed, self.best_model_score = state_dict, state_dict["best_model_score"]
        else:
            self.best_k_models, self.best_model_score, self.best_model_path = {}, None, ""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_start(trainer, pl_module)
        if self.save_top_k == 1 and (best := best_of(self._resumed)) is not None and not is_url(str(self.dirpath)):
            self._take_over(best, trainer)
        self._first_step = trainer.global_step
        self._saved_at = time.monotonic()
        self._buffers.keep(pl_module)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        # The row of the saved step is logged after the checkpoint.
        if self._unwritten_logs:
            self._write_logs(trainer)
        self._unwritten_logs = False

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not trainer.fit_loop._should_accumulate():
            self._buffers.keep(pl_module)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        wanted = self.minutes > 0 and self.save_last is True and not self._should_skip_saving_checkpoint(trainer)
        if wanted and exchange_due(trainer.global_step) and _trains_on(trainer):
            due = time.monotonic() - self._saved_at >= 60 * self.minutes
            if trainer.strategy.broadcast(due):  # clocks differ, and all processes take part
                step = self._last_global_step_saved
                self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))
                # A validation that comes before the next step must not find its own checkpoint done.
                self._last_global_step_saved = step

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save the end of the run, which may be inside an epoch (max_steps, max_time) or between two validations."""
        if self._should_skip_saving_checkpoint(trainer):  # Lightning's own would write in a fast_dev_run
            return
        super().on_train_end(trainer, pl_module)
        if self.save_last is True and not self._should_skip_saving_checkpoint(trainer):
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save what was trained, unless it is not finite: the last good checkpoint stays."""
        if isinstance(exception, FloatingPointError) or not self._should_save_on_exception(trainer):
            return
        candidates = self._monitor_candidates(trainer)
        with suppress(FloatingPointError):
            if not self.save_last:  # Lightning would take the name of the best one
                self._save_checkpoint(trainer, self.format_checkpoint_name(candidates, _NEWEST))
            self._save_last_checkpoint(trainer, candidates)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Let a resumed run begin after the last optimiser step, and a validation from its first video.

        An exception may come inside a batch; both an exception and a validation may come between two steps; the end of
        the run may come inside an epoch.
        """
        loops = checkpoint["loops"]["fit_loop"]
        if trainer.validating:
            _begin_validation_again(loops["epoch_loop.val_loop.batch_progress"])
        progress = loops["epoch_loop.batch_progress"]
        current, total = progress["current"], progress["total"]
        if not progress["is_last_batch"] and 0 < current["processed"] < trainer.num_training_batches:
            _leave_epoch_open(checkpoint, loops["epoch_progress"])
        in_hand = current["ready"] != current["processed"]
        if not in_hand and not trainer.fit_loop._should_accumulate():
            return
        undone = current["processed"] % trainer.accumulate_grad_batches
        if undone or in_hand:
            # A run that keeps an average of the weights has that as its state_dict.
            self._buffers.put_into(checkpoint.get("current_model_state", checkpoint["state_dict"]))
        for counts in (current, total):
            counts.update(dict.fromkeys(counts, counts["processed"] - undone))

    def _save_topk_checkpoint(self, trainer: Trainer, monitor_candidates: dict[str, Any]) -> None:
        """Keep this one where it is the best, or the newest where nothing says which is."""
        if self.filename == _BEST and not sum(trainer.num_val_batches):
            self.monitor, self.filename = None, _NEWEST
        values = [name for name in monitor_candidates if name not in ("epoch", "step")]
        if self.monitor is not None and any(name.startswith("val/") for name in values):  # after a validation
            check_choice("checkpoint.monitor", self.monitor, values)
        super()._save_topk_checkpoint(trainer, monitor_candidates)
        if self.save_last is True:
            # Lightning writes the last one only where this step is saved already, as one of the best.
            self._last_global_step_saved = trainer.global_step
        elif self.save_last == "link" and self._last_global_step_saved != trainer.global_step:
            self._save_checkpoint(trainer, self.format_checkpoint_name(monitor_candidates, self.CHECKPOINT_NAME_LAST))

    def _take_over(self, name: str, trainer: Trainer) -> None:
        """Go on with the best checkpoint, beside the one resumed; in another folder, with a copy of its own."""
        here, score = Path(str(self.dirpath)) / name, None
        if trainer.is_global_zero:
            best = Path(str(trainer.ckpt_path)).with_name(name)
            here = _unless_of_another(here, best)
            score = _score_of_past(best, self.state_key, trainer.global_step)
            if score is None:
                _log.warning("%s is gone, or of a step that is trained again: the best from here on is kept", best)
            elif not here.exists():
                here.parent.mkdir(parents=True, exist_ok=True)
                with replacing(here) as temporary:
                    shutil.copy2(best, temporary)  # as old as it is: the newest run is found by its age
        here, score = trainer.strategy.broadcast((here, score))
        # Any other is better than one that is not there.
        worst = torch.tensor(-torch.inf if self.mode == "max" else torch.inf)
        self.kth_best_model_path, self.kth_value = str(here), worst if score is None else score
        self.best_k_models = {self.kth_best_model_path: self.kth_value}
        self.best_model_path, self.best_model_score = ("" if score is None else str(here)), score

    def _save_checkpoint(self, trainer: Trainer, filepath: str) -> None:
        if trainer.is_global_zero and os.path.islink(filepath):
            os.unlink(filepath)  # save_last=link made it: what it leads to is another checkpoint, and stays what it is
        super()._save_checkpoint(trainer, filepath)
        self._saved_at = time.monotonic()
        self._unwritten_logs = True
        self._write_logs(trainer)

    def _should_save_on_exception(self, trainer: Trainer) -> bool:
        """Save what this process has trained: a refused start has nothing, but would be the newest checkpoint."""
        trained = self._first_step is not None and trainer.global_step > self._first_step
        return trained and super()._should_save_on_exception(trainer)

    def _should_save_on_train_epoch_end(self, trainer: Trainer) -> bool:
        """Save after the validation if there is one: Lightning resumes wrongly with max_steps from before it."""
        if self._save_on_train_epoch_end is None and sum(trainer.num_val_batches) > 0:
            return False
        return super()._should_save_on_train_epoch_end(trainer)

    @staticmethod
    def _write_logs(trainer: Trainer) -> None:
        """Flush the loggers: a resumed run does not write the rows from before its checkpoint."""
        if trainer.is_global_zero:
            for logger in trainer.loggers:
                logger.save()


def _unless_of_another(path: Path, best: Path) -> Path:
    """The path, or the next of its versions (best-v1) that does not hold what another run has kept there."""
    version, place = 0, path
    while place.exists() and not (best.exists() and place.samefile(best)):
        version += 1
        place = path.with_stem(f"{path.stem}-v{version}")
    return place


def _score_of_past(path: Path, key: str, step: int) -> torch.Tensor | None:
    """Value of a best checkpoint that a run of `step` optimiser steps has come by, or None.

    The file says more than the state of the last one: a kill may come between the two, after which the file is of a
    step that is still to come, and so it is where a run goes on from an earlier checkpoint.
    """
    try:
        check_regular(path)
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        score = content["callbacks"][key]["best_model_score"]
        return score.clone() if content["global_step"] <= step else None
    except Exception:  # gone, damaged or not ours: a dozen types
        return None


class WholeFiles(TorchCheckpointIO):
    """Writes a checkpoint to a temporary name in its own folder and renames it.

    Lightning writes to the temporary folder; moving a file from there to another disk copies it, and a kill would leave
    half of it.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        if is_url(str(path)):
            super().save_checkpoint(checkpoint, path, storage_options)
            return
        # To an open file: of a name, torch says no more than that it failed.
        with replacing(path) as temporary, open(temporary, "wb") as file:
            try:
                torch.save(checkpoint, file)
            except RuntimeError as error:
                raise OSError(f"{path} cannot be written ({str(error).splitlines()[0]})") from error

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Read a whole checkpoint: tensors and plain values only, whatever is asked for."""
        if is_url(str(path)):
            return super().load_checkpoint(path, weights_only=True)
        return read_for_lightning(path)


def _begin_validation_again(progress: dict[str, Any]) -> None:
    """Unless the validation is complete, reset its progress so that Lightning runs it from the start."""
    current = progress["current"]
    if progress["is_last_batch"] and current["completed"] == current["ready"]:
        return
    current.update(dict.fromkeys(current, 0))
    progress["total"].update(ready=1, started=1, processed=0, completed=0)
    progress["is_last_batch"] = False


def _leave_epoch_open(checkpoint: dict[str, Any], progress: dict[str, Any]) -> None:
    """Let the rest of an epoch follow that max_steps ended early: Lightning counts it as completed."""
    if progress["current"]["completed"] < progress["current"]["ready"]:
        return
    for counts in (progress["current"], progress["total"]):
        counts.update(processed=counts["processed"] - 1, completed=counts["completed"] - 1)
    checkpoint["epoch"] -= 1


def _trains_on(trainer: Trainer) -> bool:
    """Whether an optimiser step has just ended and another batch of the same epoch comes next."""
    loop = trainer.fit_loop.epoch_loop
    fetcher = trainer.fit_loop._data_fetcher
    assert fetcher is not None
    return not (loop._should_accumulate() or loop._num_ready_batches_reached() or loop._should_check_val_fx(fetcher))
