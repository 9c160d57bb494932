"""Which videos a process takes, in which order: a function of the seed and the epoch, of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import DistributedSampler

from videogn.system.ranks import rank, world_size


class Draw(NamedTuple):
    """What a sampler hands out for one video.

    Whatever is random about the video's clip is drawn from these two and the seed. The epoch is said with every video
    because workers that live on from one epoch to the next hear of no other one.
    """

    epoch: int
    position: int


class VideoSampler(DistributedSampler[Draw]):
    """Deals the videos out to the processes, none of them twice.

    For training they are shuffled, another way at every epoch, and each process takes as many as the others: where the
    number of videos is not a multiple of the number of processes, the last of that epoch's order are left out. For
    evaluation they stay in order and none is left out, so that processes may differ by one. The first n draws of all
    processes are the first of that order, however many processes there are.

    It is a DistributedSampler so that Lightning keeps it and tells it the epoch, instead of putting in one that repeats
    videos.

    Args:
        count: number of videos.
        shuffle: for training.
        seed: of the order.

    Raises:
        ValueError: fewer videos than processes.
    """

    def __init__(self, count: int, *, shuffle: bool, seed: int = 0) -> None:
        processes = world_size()
        if count < processes:
            raise ValueError(f"{count} videos are too few for {processes} processes")
        super().__init__(range(count), processes, rank(), shuffle=shuffle, seed=seed, drop_last=shuffle)  # type: ignore[arg-type]
        self.count = count
        self.drawn = 0
        self._resume: tuple[int, int] | None = None

    def __len__(self) -> int:
        if self.shuffle:
            return self.count // self.num_replicas
        return len(range(self.rank, self.count, self.num_replicas))

    def __iter__(self) -> Iterator[Draw]:
        # What is random in an evaluation is the same at every epoch.
        epoch = self.epoch if self.shuffle else 0
        order = np.arange(self.count)
        if self.shuffle:
            order = np.random.default_rng([self.seed, epoch]).permutation(self.count)
        own = order[self.rank :: self.num_replicas][: len(self)]
        resumed, self._resume = self._resume, None
        self.drawn = resumed[1] if resumed is not None and resumed[0] == self.epoch else 0
        while self.drawn < len(own):
            self.drawn += 1
            yield Draw(epoch, int(own[self.drawn - 1]))

    def state_dict(self) -> dict[str, Any]:
        """The epoch, and how many videos of it this process has drawn; the same in every process that trains."""
        return {"epoch": self.epoch, "drawn": self.drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on there at the next iteration, unless that is told to be of another epoch."""
        self.set_epoch(state["epoch"])
        self.drawn = state["drawn"]
        self._resume = (state["epoch"], state["drawn"])
