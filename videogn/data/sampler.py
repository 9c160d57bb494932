"""Selection and order of the videos of a process: a function of the seed and the epoch only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import DistributedSampler, SequentialSampler

from videogn.system.ranks import rank, world_size


class Draw(NamedTuple):
    """Epoch and position of one video, and how often it was drawn before in this epoch.

    All randomness of the video's clip is drawn from these and the seed. Every draw carries the epoch because workers
    that live longer than one epoch are not told of the next.
    """

    epoch: int
    position: int
    before: int = 0


class VideoSampler(DistributedSampler[Draw], SequentialSampler):
    """Divides the videos over the processes without repetition.

    For training they are shuffled differently in every epoch, and all processes take the same number: if the number of
    videos is not a multiple of the number of processes, the last ones of the epoch's order are left out. For evaluation
    they stay in order and none is left out, so that the numbers may differ by one. The first n draws of all processes
    are the first of that order for any number of processes.

    It is a DistributedSampler so that Lightning keeps it and sets its epoch; otherwise Lightning would insert one that
    repeats videos. It is a SequentialSampler so that Lightning keeps it with `overfit_batches` too.

    Args:
        count: Number of videos.
        shuffle: Whether to shuffle, for training.
        seed: Seed of the order. Default: 0.
        same_order: Whether every epoch has the order of the first one. Its clips are drawn anew all the same. Default:
            False.
        probabilities: Probability of each video in one draw, for training: an epoch is then as many draws as there are
            videos, with replacement. Default: every video once.

    Raises:
        ValueError: If there are fewer videos than processes.
    """

    def __init__(
        self,
        count: int,
        *,
        shuffle: bool,
        seed: int = 0,
        same_order: bool = False,
        probabilities: NDArray[np.float64] | None = None,
    ) -> None:
        processes = world_size()
        if count < processes:
            raise ValueError(f"{count} videos are too few for {processes} processes")
        super().__init__(range(count), processes, rank(), shuffle=shuffle, seed=seed, drop_last=shuffle)  # type: ignore[arg-type]
        self.count = count
        self.same_order = same_order
        self.probabilities = probabilities
        self.drawn = 0
        self._resume: tuple[int, int] | None = None

    def __len__(self) -> int:
        if self.shuffle:
            return self.count // self.num_replicas
        return len(range(self.rank, self.count, self.num_replicas))

    def __iter__(self) -> Iterator[Draw]:  # type: ignore[override]
        # Randomness in an evaluation is the same in every epoch.
        epoch = self.epoch if self.shuffle else 0
        own, before = self.own_order(epoch)
        self._begin()
        while self.drawn < len(own):
            self.drawn += 1
            yield Draw(epoch, int(own[self.drawn - 1]), int(before[self.drawn - 1]))

    def _order(self, epoch: int) -> NDArray[np.int64]:
        """The videos of all processes in a training epoch."""
        rng = np.random.default_rng([self.seed, epoch])
        if self.probabilities is None:
            return rng.permutation(self.count)
        return rng.choice(self.count, self.count, p=self.probabilities)

    def own_order(self, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of this process's videos in an epoch, and how often the epoch had each before."""
        order = self._order(0 if self.same_order else epoch) if self.shuffle else np.arange(self.count)
        # In training all processes take the same number.
        most = self.count // self.num_replicas if self.shuffle else self.count
        own, before = (part[self.rank :: self.num_replicas][:most] for part in (order, _drawn_before(order)))
        return own, before

    def _begin(self) -> None:
        """Begin where a restored state says, if it is of this epoch."""
        resumed, self._resume = self._resume, None
        self.drawn = resumed[1] if resumed is not None and resumed[0] == self.epoch else 0

    def state_dict(self) -> dict[str, Any]:
        """Return the epoch and the number of videos drawn in it, which is the same in every training process."""
        return {"epoch": self.epoch, "drawn": self.drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue there at the next iteration, unless its epoch differs."""
        self.set_epoch(state["epoch"])
        self.drawn = state["drawn"]
        self._resume = (state["epoch"], state["drawn"])


def _drawn_before(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count for each draw the earlier ones of the same video."""
    by_video = np.argsort(order, kind="stable")
    _, first, counts = np.unique(order[by_video], return_index=True, return_counts=True)
    before = np.empty_like(order)
    before[by_video] = np.arange(len(order)) - np.repeat(first, counts)
    return before
