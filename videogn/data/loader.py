"""The loader of all videos: in order, in worker processes, and able to go on in the middle of an epoch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from videogn.data.dataset import VideoDataset, collate
from videogn.data.sampler import VideoSampler

try:
    from torchdata.stateful_dataloader import StatefulDataLoader
except ImportError:
    StatefulDataLoader = DataLoader

#: Whether a loader has torchdata's `state_dict` and `load_state_dict`.
STATEFUL = StatefulDataLoader is not DataLoader


class VideoLoader(StatefulDataLoader):
    """Batches of a VideoDataset in the order of a VideoSampler.

    By itself it is torchdata's StatefulDataLoader: `state_dict` in the middle of an epoch, `load_state_dict` in a new
    process with as many workers, and the rest of the epoch follows; a plain DataLoader where torchdata is not
    installed. In a trainer, `trained_batches` decides instead, because only the trainer knows whether the batch that
    it took last was trained too.

    Attributes:
        trained_batches: asked at the start of every epoch: how many of its batches have been trained already.
    """

    trained_batches: Callable[[], int] | None = None
    sampler: VideoSampler

    def __iter__(self) -> Iterator[Any]:
        """A generator, so that nothing happens before the first batch is asked for.

        Lightning makes the iterator before it has restored its counts and told the sampler the epoch, and asks for the
        first batch afterwards.
        """
        if self.trained_batches is not None:
            self.next_iter_state = None
            drawn = self.trained_batches() * self.batch_size
            self.sampler.load_state_dict({"epoch": self.sampler.epoch, "drawn": drawn})
        yield from super().__iter__()

    if STATEFUL:

        def state_dict(self) -> dict[str, Any]:
            """Where the epoch stands; empty before it began, where torchdata's would start the workers."""
            return {} if self._iterator is None else super().state_dict()


def video_loader(
    dataset: VideoDataset, sampler: VideoSampler, *, batch_size: int, num_workers: int, drop_last: bool = False
) -> VideoLoader:
    """Make a loader.

    Args:
        dataset: the videos.
        sampler: their order, and which of them are this process's.
        batch_size: videos in a batch.
        num_workers: loader processes; 0 loads in this one.
        drop_last: leave out an incomplete last batch.

    Returns:
        The loader; its workers live as long as it does.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*set_vital.*")  # torchdata 0.11 with torch 2.15
        return VideoLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=num_workers,
            collate_fn=collate,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=drop_last,
            # Of its own: a loader that draws from torch's would change what others draw from it.
            generator=torch.Generator().manual_seed(sampler.seed),
        )
