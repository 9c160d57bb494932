"""Who scores what: slices of the videos for each worker, and what becomes of those that a lost worker had.

A worker has several videos at a time, and is not asked which of them it died of. So all of them are scored again, each
alone on a worker that does nothing else: the one to blame is found, and no other can be blamed with it.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Iterable

from videogn.axes import VideoRecord
from videogn.inference.prediction import Prediction

#: Videos that go to a worker together.
SLICE = 8
#: Workers that a video may lose before it fails.
MOST_LOSSES = 3


class Slices:
    """The videos, and who has which of them.

    Args:
        videos: Videos of different names, taken as they are needed.

    Attributes:
        exhausted: Whether all videos have been taken.
    """

    def __init__(self, videos: Iterable[VideoRecord]) -> None:
        self._videos = iter(videos)
        self._held: dict[int, dict[str, VideoRecord]] = {}
        self._again: deque[VideoRecord] = deque()
        self._losses: Counter[str] = Counter()
        self.exhausted = False

    def next_slice(self, worker: int) -> list[VideoRecord]:
        """Give a worker its next videos.

        Args:
            worker: Number of the worker.

        Returns:
            Videos; none when all have been taken.
        """
        some = list(itertools.islice(self._videos, SLICE))
        self.exhausted = not some
        self._hold(worker, some)
        return some

    def next_alone(self, worker: int) -> VideoRecord | None:
        """Give a worker that has nothing else a video that a lost worker had, or None if there is none."""
        if not self._again:
            return None
        record = self._again.popleft()
        self._hold(worker, [record])
        return record

    def is_free(self, worker: int) -> bool:
        """Whether a worker has no videos."""
        return not self._held.get(worker)

    def done(self, worker: int, prediction: Prediction) -> None:
        """Note that a worker has scored a video."""
        del self._held[worker][prediction.path]
        self._losses.pop(prediction.path, None)

    def lost(self, worker: int, reason: str) -> list[Prediction]:
        """Take back what a lost worker had.

        Args:
            worker: Number of the worker.
            reason: Why it was lost.

        Returns:
            Predictions of the videos that have lost too many workers.
        """
        failed = []
        for name, record in self._held.pop(worker, {}).items():
            self._losses[name] += 1
            if self._losses[name] < MOST_LOSSES:
                self._again.append(record)
            else:
                failed.append(Prediction(name, error=f"{self._losses.pop(name)} workers were lost at it; {reason}"))
        return failed

    @property
    def finished(self) -> bool:
        """Whether every video has a prediction."""
        return self.exhausted and not self._again and not any(self._held.values())

    def _hold(self, worker: int, videos: Iterable[VideoRecord]) -> None:
        self._held.setdefault(worker, {}).update((record.name, record) for record in videos)
