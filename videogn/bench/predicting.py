"""Videos per second of prediction: decoding alone, the network alone, and both at once as in `videogn predict`."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice
from time import perf_counter
from typing import Any

from videogn.axes import Sample, VideoRecord
from videogn.bench.loading_report import Failure, Progress
from videogn.inference import Predictor

#: Least number of videos a process in a measurement of decoding: they come in bursts.
_LEAST = 8


@dataclass(frozen=True)
class PredictionRate:
    """Rates with a number of decoding processes, in videos per second.

    Attributes:
        workers: Number of processes that decode ahead; 0 decodes in turn with the network.
        decoding: Videos per second of decoding alone.
        both: Videos per second of decoding and network together.
        share: `both` / the smaller of `decoding` and the network's rate; 1 if one costs the other nothing.
    """

    workers: int
    decoding: float
    both: float
    share: float


@dataclass(frozen=True)
class PredictionReport:
    """Measurements of prediction.

    Attributes:
        expected: Number of videos asked for.
        failed: Those that could not be measured.
        network: Videos per second of the network alone.
        rates: Rates for each number of workers.
    """

    expected: int
    failed: tuple[Failure, ...]
    network: float
    rates: tuple[PredictionRate, ...]


def measure_prediction(
    predictor: Predictor,
    records: Sequence[VideoRecord],
    *,
    workers: Sequence[int],
    repeats: int,
    batch_clips: int | None,
    progress: Progress,
) -> PredictionReport:
    """Measure the rates of prediction in turn, and take medians. Videos that fail are named and left out.

    Args:
        predictor: Network, clips and decoder.
        records: Videos; the same ones over and over where a measurement needs more.
        workers: Numbers of decoding processes.
        repeats: Number of measurements of every rate.
        batch_clips: See `Predictor.predict`.
        progress: Called before and during each measurement.

    Returns:
        The measurements.

    Raises:
        ValueError: No video can be measured.
    """
    samples, good, failed = _usable(predictor, records, progress)
    decoding: dict[int, list[float]] = {number: [] for number in workers}
    both: dict[int, list[float]] = {number: [] for number in workers}
    network: list[float] = []
    steps = repeats * (1 + 2 * len(workers))
    for turn in range(repeats):
        done = turn * (1 + 2 * len(workers))
        progress("Network", done, steps)
        network.append(_rate(predictor.classify(_again(samples), batch_clips=batch_clips), 1, len(good)))
        for place, number in enumerate(workers):
            ahead = 2 * number + 1  # by then every process has decoded one
            progress(f"Decoding, {number} workers", done + 1 + 2 * place, steps)
            samples_alone = predictor.decode(cycle(good), workers=number)
            decoding[number].append(_rate(samples_alone, ahead, max(len(good), _LEAST * max(number, 1))))
            progress(f"Both, {number} workers", done + 2 + 2 * place, steps)
            predictions = predictor.predict(cycle(good), workers=number, batch_clips=batch_clips)
            both[number].append(_rate(predictions, ahead, max(len(good), 2 * number)))
    progress("Both", steps, steps)
    rates = [_medians(number, decoding[number], both[number], network) for number in workers]
    return PredictionReport(len(records), failed, statistics.median(network), tuple(rates))


def _medians(
    workers: int, decoding: Sequence[float], both: Sequence[float], network: Sequence[float]
) -> PredictionRate:
    # Of each turn its own share: on a busy machine turns differ more than what was measured within one.
    shares = [b / min(d, n) for d, b, n in zip(decoding, both, network, strict=True)]
    return PredictionRate(workers, statistics.median(decoding), statistics.median(both), statistics.median(shares))


def _again(samples: Sequence[Sample]) -> Iterator[Sample]:
    """The samples endlessly; copies, as each is moved to the device once more."""
    return (replace(sample) for sample in cycle(samples))


def _rate(items: Iterable[Any], skipped: int, counted: int) -> float:
    """Items per second of an endless stream, after the first ones: until then, processes start.

    As the stream does not end, as many items are decoded ahead at the end of the measurement as at its beginning.
    """
    stream = iter(items)
    for _ in islice(stream, skipped):
        pass
    started = perf_counter()
    for _ in islice(stream, counted):
        pass
    return counted / (perf_counter() - started)


def _usable(
    predictor: Predictor, records: Sequence[VideoRecord], progress: Callable[[str, int, int], None]
) -> tuple[list[Sample], list[VideoRecord], tuple[Failure, ...]]:
    """Samples and records of the videos that can be predicted, and the others with their reasons."""
    samples, good, failed = [], [], []
    for number, (record, sample) in enumerate(zip(records, predictor.decode(records), strict=True)):
        progress("Opening", number, len(records))
        (prediction,) = predictor.classify([replace(sample)])
        if prediction.error is None:
            samples.append(sample)
            good.append(record)
        else:
            failed.append(Failure(record.name, prediction.error))
    if not good:
        first = f"{failed[0].path}: {failed[0].reason}"
        raise ValueError(first if len(failed) == 1 else f"none of the {len(failed)} videos can be predicted; {first}")
    return samples, good, tuple(failed)
