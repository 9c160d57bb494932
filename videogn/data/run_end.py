"""What a data module gives back when a training run, validation or test ends."""

from __future__ import annotations

import lightning.pytorch as pl

from videogn.video.decoders.guard import Unguarded, VideoGuard


class EndsDecoding(pl.LightningDataModule):
    """A data module whose decoding process ends with the run; the next run starts another one.

    A trainer and its data module hold one another. In a program of many runs they wait for the garbage collector, and
    a process and its memory would wait with each of them.

    Attributes:
        guard: What opens the videos, once the data module has it.
    """

    guard: VideoGuard | Unguarded

    def teardown(self, stage: str) -> None:
        """End the process; Lightning calls this after a run."""
        self.guard.close()

    def on_exception(self, exception: BaseException) -> None:
        """End the process; Lightning calls this after a run that fails or is stopped."""
        self.guard.close()
