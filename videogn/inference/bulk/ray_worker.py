"""The side of a worker: a network in a process of Ray, with decoding processes of its own."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import torch

from videogn.axes import VideoRecord
from videogn.choices import EvaluationViews
from videogn.inference.bulk.identity import check_same_state, source_hash, source_state
from videogn.inference.decoding import usual_workers
from videogn.inference.prediction import Prediction
from videogn.inference.predictor import Predictor


class Loaded(NamedTuple):
    """What a worker says of its network: as of `Predictor`, and `source_hash` of the checkpoint."""

    views: EvaluationViews
    precision: str
    content: str


class Worker:
    """Scores videos as one stream, so that its processes decode the next ones while the network runs.

    Several of its methods are called at the same time, each by one caller at a time. An error of the stream is that of
    the next `take`; the worker is of no use any more.

    Args:
        threads: Number of threads of the network, and number of cores.
    """

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._predictor: Predictor
        # Room for one slice: whoever gives waits until the one before it has been begun.
        self._slices: queue.Queue[Sequence[VideoRecord]] = queue.Queue(maxsize=1)
        self._found: queue.Queue[Prediction | None] = queue.Queue()
        self._error: Exception | None = None
        self._stream: threading.Thread | None = None

    def load(self, directory: str, settings: Mapping[str, Any]) -> Loaded:
        """Load the network.

        Args:
            directory: Working directory, which relative paths start from.
            settings: Arguments of `Predictor`.
        """
        os.chdir(directory)
        torch.set_num_threads(self._threads)
        checkpoint = str(settings["checkpoint"])
        state = source_state(checkpoint)
        self._predictor = Predictor(**settings)
        content = source_hash(checkpoint)
        check_same_state(checkpoint, state)
        return Loaded(self._predictor.views, self._predictor.precision, content)

    def give(self, videos: Sequence[VideoRecord], how: Mapping[str, Any]) -> list[Prediction]:
        """Add videos to the stream; returns when there is room for more, and nothing.

        Args:
            videos: Videos; none to end the stream, which returns when the last one is scored.
            how: Arguments of `Predictor.predict`.
        """
        if self._stream is None:
            self._stream = threading.Thread(target=self._run, args=(how,), daemon=True)
            self._stream.start()
        self._slices.put(videos)
        if not videos:
            self._stream.join()
            self._stream = None
        return []

    def take(self) -> list[Prediction]:
        """Return what has been scored since the last call; waits for one prediction at least."""
        found = [self._next()]
        while not self._found.empty():
            found.append(self._next())
        return found

    def alone(self, video: VideoRecord, how: Mapping[str, Any]) -> list[Prediction]:
        """Score one video while there is no stream.

        Args:
            video: Video.
            how: Arguments of `Predictor.predict`.
        """
        return list(self._predictor.predict([video], **{**how, "workers": 0}))

    def _run(self, how: Mapping[str, Any]) -> None:
        workers = how["workers"]
        if workers is None:
            workers = usual_workers(self._predictor.device, self._threads)
        try:
            for prediction in self._predictor.predict(self._given(), **{**how, "workers": workers}):
                self._found.put(prediction)
        except Exception as error:
            self._error = error
            self._found.put(None)

    def _given(self) -> Iterator[VideoRecord]:
        while videos := self._slices.get():
            yield from videos

    def _next(self) -> Prediction:
        prediction = self._found.get()
        if prediction is None:
            assert self._error is not None
            raise self._error
        return prediction
