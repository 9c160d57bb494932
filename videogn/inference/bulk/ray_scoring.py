"""Scoring by workers of Ray: on this machine, or on the machines of a cluster that see the same files.

Each worker has a network, and decoding processes of its own that run ahead of it: what travels between machines is
names and scores. Decoders in workers of their own would send frames instead, 80 MB for ten clips of 32 frames of
256 x 340; that would only help where the cores of a machine do not keep its GPUs busy and others have some to spare.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from videogn.axes import VideoRecord
from videogn.checks import require_positive
from videogn.evaluation.anytime import StoppingRule
from videogn.inference.bulk.ray_worker import Loaded, Worker
from videogn.inference.bulk.slices import Slices
from videogn.inference.prediction import Prediction
from videogn.system.ray_connection import RayConnection, first_line

#: Workers that may be lost, one after the other, while they load the network.
_MOST_STARTS = 3
#: Calls that a worker answers at the same time: one that gives and one that takes.
_CALLS = 2


class _Answer(NamedTuple):
    """What came of a call.

    Attributes:
        worker: Number of the worker.
        found: Predictions that it gave.
        lost: Why it was lost, or None.
    """

    worker: int
    found: Sequence[Prediction] = ()
    lost: str | None = None


@dataclass(eq=False)
class _Hired:
    """A worker as seen from here.

    Attributes:
        number: Number, of which no other worker has the same.
        actor: Ray's name for it.
        calls: Calls that it has not answered yet: name of the method -> Ray's name for the answer.
        loaded: Whether it has its network.
        streaming: Whether it has a stream that more videos can be given to.
    """

    number: int
    actor: Any
    calls: dict[str, Any] = field(default_factory=dict)
    loaded: bool = False
    streaming: bool = False

    def call(self, method: str, *arguments: Any) -> None:
        """Call one of the methods of `Worker`."""
        self.calls[method] = getattr(self.actor, method).remote(*arguments)


class RayPredictor:
    """A `Predictor` whose networks run in workers of Ray.

    Videos, checkpoint and installation must have the same paths on all machines, and so must the working directory if
    one of them is relative to it.

    Args:
        checkpoint: As for `Predictor`.
        address: Address of a running cluster, HOST:PORT, or auto for the one that this machine belongs to. Default: a
            Ray of its own on this machine.
        jobs: Number of workers, with a GPU each if there are any. Default: one for each GPU, or else one for each
            machine. They share the cores of their machine.
        device: "cpu", "cuda", or "auto", which takes GPUs if there are any. Default: "auto".
        **settings: Further arguments of `Predictor`.

    Attributes:
        views: As of `Predictor`.
        precision: As of `Predictor`.

    Raises:
        ModuleNotFoundError: Ray is not installed.
        ConnectionError: There is no such cluster, it refuses the connection, or workers do not start.
        ValueError: An argument is wrong, or the machines would compute in different numbers.
        OSError: As for `Predictor`.
    """

    def __init__(
        self,
        checkpoint: str | Path,
        *,
        address: str | None = None,
        jobs: int | None = None,
        device: str = "auto",
        **settings: Any,
    ) -> None:
        if device not in ("auto", "cpu", "cuda"):
            raise ValueError(f"device must be auto, cpu or cuda with Ray, which says which of several, got {device!r}")
        self._settings = {"checkpoint": checkpoint, "device": device, **settings}
        self._connection = RayConnection(address, jobs=jobs, devices=0 if device == "cpu" else 1)
        self._ray, shares = self._connection.ray, self._connection.shares
        options = {"num_cpus": shares.threads, "num_gpus": shares.gpus, "max_concurrency": _CALLS}
        self._make = self._ray.remote(**options)(Worker).remote
        self._threads = shares.threads
        self._numbers = itertools.count()
        self._hired: list[_Hired] = []
        self._about: Loaded | None = None
        self._failed_starts = 0
        try:
            for _ in range(shares.slots):
                self._hire()
            while self._about is None:
                self._next_answer()
        except BaseException:
            self.close()
            raise
        self.views, self.precision, _ = self._about

    def predict(
        self,
        videos: Iterable[VideoRecord],
        *,
        top_k: int = 5,
        workers: int | None = None,
        batch_clips: int | None = None,
        stopping: StoppingRule | None = None,
    ) -> Generator[Prediction]:
        """Classify videos, as `Predictor.predict` does but for the order.

        Args:
            videos: Videos of different names. Each worker has three slices of eight at a time.
            top_k: As for `Predictor.predict`.
            workers: Number of decoding processes of each worker. Default: as for `Predictor.predict`, by the cores that
                it has.
            batch_clips: As for `Predictor.predict`.
            stopping: As for `Predictor.predict`.

        Yields:
            One prediction a video, as soon as it is there. A video that lost three workers has an error.

        Raises:
            ConnectionError: Workers do not start.
            ValueError: An argument is wrong.
            OSError: A worker has no room for its processes.
        """
        require_positive("top_k", top_k)
        how = {"top_k": top_k, "workers": workers, "batch_clips": batch_clips, "stopping": stopping}
        slices = Slices(videos)
        while True:
            for worker in self._hired:
                _employ(worker, slices, how)
            if slices.finished:
                return
            answer = self._next_answer()
            for prediction in answer.found:
                slices.done(answer.worker, prediction)
            yield from answer.found
            if answer.lost is not None:
                yield from slices.lost(answer.worker, answer.lost)

    def close(self) -> None:
        """End the workers, and the Ray that was started for them."""
        for worker in self._hired:
            with suppress(Exception):  # a signal to the whole group has ended Ray too
                self._ray.kill(worker.actor)
        self._hired.clear()
        self._connection.close()

    def _hire(self) -> None:
        worker = _Hired(next(self._numbers), self._make(self._threads))
        worker.call("load", os.getcwd(), self._settings)
        self._hired.append(worker)

    def _next_answer(self) -> _Answer:
        """Wait for the next answer of a worker; one that is lost is replaced."""
        calls = {call: (worker, method) for worker in self._hired for method, call in worker.calls.items()}
        ((call, *_), _) = self._ray.wait(list(calls))
        worker, method = calls[call]
        del worker.calls[method]
        errors = self._ray.exceptions
        try:
            try:
                answer = self._ray.get(call)
            except errors.RayTaskError as error:
                raise error.cause from None
        # Of a worker that lives on, RuntimeError is a decoding process that was killed, or a GPU without memory.
        except (errors.RayError, RuntimeError) as error:
            self._replace(worker, error)
            return _Answer(worker.number, lost=first_line(error))
        if method != "load":
            return _Answer(worker.number, answer)
        self._check(answer)
        worker.loaded = True
        return _Answer(worker.number)

    def _replace(self, worker: _Hired, error: Exception) -> None:
        if not worker.loaded:
            self._failed_starts += 1
            if self._failed_starts == _MOST_STARTS:
                raise ConnectionError(f"workers of Ray do not start: {first_line(error)}") from error
        self._hired.remove(worker)
        self._ray.kill(worker.actor)
        self._hire()

    def _check(self, about: Loaded) -> None:
        """Check that a worker scores as the others do."""
        self._failed_starts = 0
        self._about = self._about or about
        if about.precision != self._about.precision:
            raise ValueError(
                f"machines of the cluster compute in {self._about.precision} and in {about.precision}: say which with "
                "--precision"
            )
        if about != self._about:
            raise ValueError(
                f"{self._settings['checkpoint']} is not the same on all machines of the cluster, or changed"
            )


def _employ(worker: _Hired, slices: Slices, how: Mapping[str, Any]) -> None:
    """Call of a worker what it can do now."""
    number = worker.number
    if worker.streaming and "give" not in worker.calls:
        some = slices.next_slice(number)
        worker.call("give", some, how)
        worker.streaming = bool(some)
    elif worker.loaded and not worker.calls and slices.is_free(number):
        if (video := slices.next_alone(number)) is not None:
            worker.call("alone", video, how)
        elif some := slices.next_slice(number):
            worker.call("give", some, how)
            worker.streaming = True
    if not slices.is_free(number) and not worker.calls.keys() & {"take", "alone"}:
        worker.call("take")
