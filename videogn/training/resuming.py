"""What makes a resumed training the one that was interrupted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch

#: What a checkpoint says of a training's clips -> what it is of, and the options that decide it.
_CLIPS = {
    "clips_per_step": ("trained with {} clips an optimiser step", "--trainer.accumulate_grad_batches, "),
    "clips_per_batch": ("from the middle of an epoch in batches of {} clips over all devices", ""),
}


@contextmanager
def drawing(*entropy: int, device: torch.device) -> Iterator[None]:
    """Let what torch draws in the block (dropout) be a function of some numbers; afterwards it draws as before.

    With the seed, the process, the epoch and the step as the numbers there is no state to save.

    Args:
        entropy: the numbers, >= 0.
        device: where the block draws, besides the CPU.
    """
    seed = int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0])
    # torch.manual_seed would seed every device there is, of which this one alone is put back.
    with torch.random.fork_rng(devices=[]), _seeded(device, seed):
        torch.default_generator.manual_seed(seed)
        yield


@contextmanager
def _seeded(device: torch.device, seed: int) -> Iterator[None]:
    """Seed an accelerator's own generator, and put it back; nothing on the CPU."""
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


def check_clips(before: Mapping[str, int | None], now: Mapping[str, int], *, in_epoch: bool) -> None:
    """Refuse to resume with other batches: a schedule counts steps, the place in an epoch is found by counting batches.

    Args:
        before: "clips_per_step" and "clips_per_batch" of the checkpoint, where it has them.
        now: of this training.
        in_epoch: whether the checkpoint is from the middle of an epoch; between two, batches may change.

    Raises:
        ValueError: they differ.
    """
    for name in now if in_epoch else {"clips_per_step"} & now.keys():
        if before.get(name) not in (None, now[name]):
            what, more = _CLIPS[name]
            raise ValueError(
                f"the checkpoint was {what.format(before[name])}, not {now[name]}: "
                f"resume with the same (--data.batch_size, {more}--trainer.devices)"
            )
