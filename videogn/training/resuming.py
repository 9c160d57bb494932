"""Random numbers and checks that make a resumed training run equal to an uninterrupted one."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from videogn.data.records import Records
from videogn.system.sizes import counted

_log = logging.getLogger(__name__)

#: What batches have unless they are those of multigrid training.
ONE_SHAPE = "clips of one shape"
#: Fact of a training run -> phrase for a checkpoint that says otherwise, and the options that decide the fact.
_FACTS = {
    "clips_per_step": (
        "trained with {} clips an optimiser step, not {}",
        "--data.batch_size, --trainer.accumulate_grad_batches, --trainer.devices",
    ),
    "clips_per_batch": (
        "from the middle of an epoch in batches of {} clips over all devices, not {}",
        "--data.batch_size, --trainer.devices",
    ),
    "shapes": (
        "trained with {}, not {}",
        "--data.multigrid, --trainer.max_epochs or max_steps, --model.milestones and the videos",
    ),
    "optimizer": ("trained with {}, not {}", "--model.optimizer"),
    "scheduler": ("trained with {}, not {}", "--model.scheduler"),
    "frozen": ("trained with {} frozen, not {}", "--model.freeze, --model.unfreeze_epochs"),
    "layer_decay": ("trained with a layer decay of {}, not {}", "--model.layer_decay"),
    "ema": ("trained with an average of the weights of decay {}, not {}", "--model.ema"),
}


@contextmanager
def drawing(*entropy: int, device: torch.device) -> Iterator[None]:
    """Seed torch's random numbers (dropout) in the block with some numbers, and restore its generators afterwards.

    With the seed, the process, the epoch and the step as the numbers there is no state to save.

    Args:
        *entropy: Numbers to seed with, >= 0.
        device: Device whose generator is seeded besides the CPU's.
    """
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    # torch.manual_seed would seed every device there is, of which this one alone is put back.
    with torch.random.fork_rng(devices=[]), _seeded(device, seed):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed an accelerator's generator in the block and restore it afterwards. Does nothing on the CPU."""
    if device.type == "cuda":
        with torch.random.fork_rng(devices=[device]):
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
            yield
    elif device.type == "mps":
        before = torch.mps.get_rng_state()
        torch.mps.manual_seed(seed)
        try:
            yield
        finally:
            torch.mps.set_rng_state(before)
    else:
        yield


def stopped_in_epoch(checkpoint: Mapping[str, Any]) -> bool:
    """Return whether a checkpoint of Lightning's was written in the middle of an epoch."""
    progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
    return bool(progress["current"]["ready"] > 0 and not progress["is_last_batch"])


def check_resumable(before: Mapping[str, Any], now: Mapping[str, Any], *, in_epoch: bool) -> None:
    """Refuse to resume a training run whose steps would differ from those of the checkpoint.

    A schedule counts steps, the place in an epoch is found by counting batches, and an optimiser restores its state.

    Args:
        before: Facts of the run that wrote the checkpoint: "clips_per_step", "clips_per_batch", "shapes", "optimizer",
            "scheduler", "frozen", "layer_decay" and "ema", each where it is known; none where nothing is resumed.
        now: Facts of this run.
        in_epoch: Whether the checkpoint is from the middle of an epoch. Between epochs "clips_per_batch" may change.

    Raises:
        ValueError: If they differ.
    """
    if before:
        before = {"shapes": ONE_SHAPE, **before}  # older checkpoints lack it
    for name, value in now.items():
        if before.get(name) in (None, value) or (name == "clips_per_batch" and not in_epoch):
            continue
        differs, options = _FACTS[name]
        said = differs.format(before[name], "none" if value is None else value)
        raise ValueError(f"the checkpoint was {said}: resume with the same ({options})")


class SameVideos(Callback):
    """Says that the training videos have changed since the checkpoint: a resumed epoch counts places in their order."""

    def __init__(self) -> None:
        self._now: str | None = None
        self._before: object = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare them."""
        loader: Any = trainer.train_dataloader
        self._now = videos_described(Records.of(loader.dataset.records))
        batches = trainer.fit_loop.epoch_loop.batch_progress
        in_epoch = batches.current.ready > 0 and not batches.is_last_batch
        if in_epoch and self._before not in (None, self._now) and trainer.is_global_zero:
            _log.warning(
                "the checkpoint is from the middle of an epoch of %s, and now there are %s: in this epoch some are "
                "left out, and some come twice",
                *(self._before, self._now),
            )

    def state_dict(self) -> dict[str, Any]:
        return {"videos": self._now}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._before = state_dict["videos"]


def videos_described(records: Records) -> str:
    """Return the number of videos and a check sum of their names: unlike the paths, these stay when a data set moves.

    Args:
        records: The videos, in order.

    Example:
        >>> videos_described(Records.of_columns(["/a/x.mp4", "/a/y.mp4"], [0, 1]))
        '2 videos (check sum of their names 8ee15b52)'
    """
    names = pc.replace_substring_regex(records.table["path"], "^.*/", "").combine_chunks()
    return f"{counted(len(names), 'video')} (check sum of their names {zlib.crc32(names.buffers()[2] or b''):08x})"
