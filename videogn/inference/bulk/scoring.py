"""Inputs -> rows in parts: what is known and unchanged is left alone, everything else is scored and kept at once."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

from videogn.axes import VideoRecord
from videogn.data.stored_paths import stored_path
from videogn.inference.bulk.parts import FileState, Parts
from videogn.inference.bulk.rows import Row
from videogn.video.errors import VideoDecodeError
from videogn.video.storage import state

#: Threads that ask for states, and inputs that are looked at together: an object store answers many questions at once.
_ASKING = 16
_INPUTS_AT_ONCE = 64


class Result(Protocol):
    """What every kind of result says of a video: `Prediction`, `VideoFeatures` and `VideoSegments`."""

    @property
    def path(self) -> str:
        """Name of the video."""

    @property
    def error(self) -> str | None:
        """Reason why it failed, or None."""

    @property
    def fallback(self) -> str | None:
        """Reason why PyAV decoded it and not the decoder that was asked for, or None."""

    @property
    def truncated(self) -> str | None:
        """How much of it counts, and why not all, or None."""


Found = TypeVar("Found", bound=Result)
#: Function from videos to one result each, in any order; it takes them as it needs them.
Predict = Callable[[Iterable[VideoRecord]], Iterator[Found]]


class Scoring(Generic[Found]):
    """The scoring of inputs into parts.

    Args:
        inputs: Videos. One that is named twice is scored once.
        parts: Rows so far, which grow.
        row_of: What is found of a video -> its row.
        retry_failed: Whether to score again what failed. Default: False.

    Attributes:
        known: Number of inputs so far that had a row already.
    """

    def __init__(
        self,
        inputs: Iterable[VideoRecord],
        parts: Parts,
        row_of: Callable[[Found], Row],
        *,
        retry_failed: bool = False,
    ) -> None:
        self._inputs = inputs
        self._row_of: Callable[[Found], Row] = row_of
        self._parts = parts
        self._retry_failed = retry_failed
        self.known = 0

    def run(self, predict: Predict[Found]) -> Generator[Found]:
        """Score what is missing, what has changed since it was scored, and perhaps what failed.

        Args:
            predict: Function that scores videos.

        Yields:
            Each prediction, once its row is kept.

        Raises:
            OSError: A row cannot be written, or an input not be read.
        """
        waiting: dict[str, FileState] = {}

        def missing() -> Iterator[VideoRecord]:
            for record, now in self._missing():
                waiting[record.name] = now
                yield record

        for prediction in predict(missing()):
            self._parts.add(self._row_of(prediction), waiting.pop(prediction.path))
            yield prediction

    def _missing(self) -> Iterator[tuple[VideoRecord, FileState]]:
        with ThreadPoolExecutor(_ASKING) as pool:
            inputs = enumerate(self._inputs)
            while some := list(itertools.islice(inputs, _INPUTS_AT_ONCE)):
                states = pool.map(_state, [record for _, record in some])
                for (place, record), now in zip(some, states, strict=True):
                    if self._wanted(record, now, place):
                        yield record, now

    def _wanted(self, record: VideoRecord, now: FileState, place: int) -> bool:
        """Note an input; return whether it has to be scored."""
        path = stored_path(record.name)
        known = self._parts.known(path)
        if known.listed:
            return False
        self._parts.expect(path, place)
        if known.failed is None or known.state != now or (known.failed and self._retry_failed):
            return True
        self.known += 1
        return False


def _state(record: VideoRecord) -> FileState:
    """Size and time of change of a video; those of a missing one, and of one that an index calls unusable, are None."""
    if record.error is not None:
        return FileState(None, None)
    try:
        return FileState(*state(record.path))
    except VideoDecodeError:
        return FileState(None, None)
