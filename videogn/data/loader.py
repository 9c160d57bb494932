"""The loader of videos: in worker processes, in the order of a sampler, and resumable in the middle of an epoch."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader

from videogn.data.dataset import VideoDataset, collate
from videogn.data.sampler import VideoSampler

if TYPE_CHECKING:
    from videogn.data.multigrid import Multigrid

try:
    from torchdata.stateful_dataloader import StatefulDataLoader
except ImportError:
    StatefulDataLoader = DataLoader

#: Whether a loader has torchdata's `state_dict` and `load_state_dict`.
STATEFUL = StatefulDataLoader is not DataLoader


class VideoLoader(StatefulDataLoader):
    """Batches of a VideoDataset in the order of a VideoSampler.

    It is torchdata's StatefulDataLoader: after `state_dict` in the middle of an epoch and `load_state_dict` in a new
    process with as many workers, the rest of the epoch follows. It is a plain DataLoader if torchdata is not installed.
    In a trainer, `trained_batches` decides instead, because only the trainer knows whether the last batch that it took
    was trained.

    Attributes:
        clips: Number of clips in a batch; in multigrid training, whose batches differ, in one of base clips.
        multigrid: Steps of multigrid training, or None.
        trained_batches: Function called at the start of every epoch: number of its batches that were trained already.
        seed_of_order: Function called at the start of every epoch: seed of data set and sampler. Default: those that
            they were made with.
    """

    clips: int
    multigrid: Multigrid | None = None
    trained_batches: Callable[[], int] | None = None
    seed_of_order: Callable[[], int] | None = None
    dataset: VideoDataset
    sampler: VideoSampler

    def __iter__(self) -> Iterator[Any]:
        """Iterate over the batches of an epoch. A generator, so that nothing happens before the first batch.

        Lightning makes the iterator before it has restored its counts and set the epoch of the sampler, and asks for
        the first batch afterwards. Some strategies (FSDP, DeepSpeed) even restore the data module after that.
        """
        if self.seed_of_order is not None:
            self.dataset.seed = self.sampler.seed = self.seed_of_order()
        if self.trained_batches is not None:
            self.next_iter_state = None
            drawn = self.trained_batches() * (self.batch_size or 1)  # a sampler of multigrid draws batches
            self.sampler.load_state_dict({"epoch": self.sampler.epoch, "drawn": drawn})
        yield from super().__iter__()

    if STATEFUL:

        def state_dict(self) -> dict[str, Any]:
            """Return the state of the epoch; empty before it starts, because torchdata would start the workers."""
            return {} if self._iterator is None else super().state_dict()


def video_loader(
    dataset: VideoDataset,
    sampler: VideoSampler,
    *,
    batch_size: int,
    num_workers: int,
    drop_last: bool = False,
    multigrid: Multigrid | None = None,
) -> VideoLoader:
    """Make a loader.

    Args:
        dataset: Videos.
        sampler: Order of the videos of this process.
        batch_size: Number of videos in a batch.
        num_workers: Number of loader processes; 0 loads in this process.
        drop_last: Whether to leave out an incomplete last batch. Default: False.
        multigrid: Steps of multigrid training, whose sampler draws batches. Default: None.

    Returns:
        The loader. Its workers live as long as it does.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*set_vital.*")  # torchdata 0.11 with torch 2.15
        loader = VideoLoader(
            dataset,
            batch_size=batch_size if multigrid is None else None,
            sampler=sampler,
            num_workers=num_workers,
            collate_fn=collate,
            persistent_workers=num_workers > 0,
            pin_memory=torch.cuda.is_available(),
            drop_last=drop_last,
            # Its own generator: drawing from torch's would change the random numbers of others.
            generator=torch.Generator().manual_seed(sampler.seed),
        )
    loader.clips, loader.multigrid = batch_size, multigrid
    return loader
