"""The videos of an epoch that is resumed in its middle: they have to be those of the epoch that was stopped."""

from __future__ import annotations

import logging
import zlib
from typing import Any

import pyarrow.compute as pc
from lightning.pytorch import Callback, LightningModule, Trainer

from videogn.data.records import Records
from videogn.system.sizes import counted

_log = logging.getLogger(__name__)


class SameVideos(Callback):
    """Says that the training videos have changed since the checkpoint: a resumed epoch counts places in their order."""

    def __init__(self) -> None:
        self._now: str | None = None
        self._before: object = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Compare them."""
        loader: Any = trainer.train_dataloader
        self._now = described(Records.of(loader.dataset.records))
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


def described(records: Records) -> str:
    """Return the number of videos and a check sum of their names: unlike the paths, these stay when a data set moves.

    Args:
        records: The videos, in order.

    Example:
        >>> described(Records.of_columns(["/a/x.mp4", "/a/y.mp4"], [0, 1]))
        '2 videos (check sum of their names 8ee15b52)'
    """
    names = pc.replace_substring_regex(records.table["path"], "^.*/", "").combine_chunks()
    return f"{counted(len(names), 'video')} (check sum of their names {zlib.crc32(names.buffers()[2] or b''):08x})"
