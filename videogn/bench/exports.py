"""A network as it is, compiled, and exported: time, size and agreement, measured side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter, process_time

import numpy as np
import torch
from torch import Tensor

from videogn.evaluation.views import clip_probabilities

#: Clips (B, 3, T, H, W), normalised -> logits (B, K, T', H', W').
Network = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Variant:
    """A network in one form.

    Attributes:
        name: Name of the form, for the table.
        open: Opens it, and tells the size of its files, or of its weights where it has none, in bytes.
    """

    name: str
    open: Callable[[], tuple[Network, int]]


@dataclass(frozen=True)
class Measured:
    """What was measured of a variant.

    Attributes:
        bytes: Size of its files or weights.
        first_s: Seconds of opening and of the first clip, with all that is compiled for it.
        clip_s: Seconds a clip, the median over the rounds.
        quartiles_s: First and third quartile of these.
        processor_s: Seconds a clip that all cores spent together, the median over the rounds.
        ratio: Seconds a clip divided by those of the first variant in the same round, the median over the rounds.
        difference: Largest difference of a logit from that of the first variant, over all clips.
        agreement: Share of clips with the same best class as the first variant.
    """

    bytes: int
    first_s: float
    clip_s: float
    quartiles_s: tuple[float, float]
    processor_s: float
    ratio: float
    difference: float
    agreement: float


@dataclass(frozen=True)
class Outcome:
    """A variant that was measured, or why it was not.

    Attributes:
        name: Its name.
        measured: What was measured, or None.
        error: Reason why nothing was, or None.
    """

    name: str
    measured: Measured | None = None
    error: str | None = None


@dataclass
class _Running:
    """A variant that works, and what has been measured of it."""

    network: Network
    bytes: int
    first_s: float
    logits: list[Tensor] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


@torch.inference_mode()
def measure_variants(
    variants: Sequence[Variant],
    clips: Sequence[Tensor],
    *,
    rounds: int,
    progress: Callable[[str, int, int], None] = lambda name, done, total: None,
) -> tuple[Outcome, ...]:
    """Run every variant on every clip, then time them in turn: in each round one after the other, on one clip each.

    What disturbs the machine for a while so disturbs all of them, and their ratios stay right.

    Args:
        variants: Variants, the reference first, which has to work.
        clips: Normalised clips (1, 3, T, H, W), float32.
        rounds: Number of rounds.
        progress: Called with (name of the part, done, total).

    Returns:
        What was measured, in the order of the variants.
    """
    running: dict[str, _Running] = {}
    failed: dict[str, str] = {}
    for number, variant in enumerate(variants):
        progress("Opening", number, len(variants))
        try:
            running[variant.name] = _opened(variant, clips)
        except Exception as error:  # whatever a foreign package raises; a row of the table says so
            if number == 0:
                raise
            failed[variant.name] = (str(error).strip() or type(error).__name__).partition("\n")[0]
    for turn in range(rounds):
        progress("Measuring", turn, rounds)
        for each in running.values():
            started, spent = perf_counter(), process_time()
            each.network(clips[turn % len(clips)])
            each.wall.append(perf_counter() - started)
            each.processor.append(process_time() - spent)
    reference = running[variants[0].name]
    return tuple(
        Outcome(variant.name, error=failed[variant.name])
        if variant.name in failed
        else Outcome(variant.name, _summary(running[variant.name], reference))
        for variant in variants
    )


def _opened(variant: Variant, clips: Sequence[Tensor]) -> _Running:
    """Open a variant and run it on every clip; the first run warms it up."""
    started = perf_counter()
    network, size = variant.open()
    logits = [network(clips[0])]
    opened = _Running(network, size, perf_counter() - started, logits)
    opened.logits += [network(clip) for clip in clips[1:]]
    return opened


def _summary(each: _Running, reference: _Running) -> Measured:
    low, middle, high = np.quantile(each.wall, (0.25, 0.5, 0.75)).tolist()
    pairs = list(zip(each.logits, reference.logits, strict=True))
    return Measured(
        bytes=each.bytes,
        first_s=each.first_s,
        clip_s=middle,
        quartiles_s=(low, high),
        processor_s=statistics.median(each.processor),
        ratio=statistics.median(own / other for own, other in zip(each.wall, reference.wall, strict=True)),
        difference=max(float((own - other).abs().max()) for own, other in pairs),
        agreement=sum(_best(own) == _best(other) for own, other in pairs) / len(pairs),
    )


def _best(logits: Tensor) -> int:
    return int(clip_probabilities(logits).argmax())
