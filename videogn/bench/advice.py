"""Advice from the measurements: how many loader processes, and which decoder."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.bench.throughput import Throughput
from videogn.system.cores import available_cores

#: Share of the highest rate at which fewer workers are as good.
_AS_GOOD = 0.95
#: Ratio of rates from which another decoder is worth naming.
_FASTER = 1.2


def advice(throughput: Sequence[Throughput]) -> tuple[str, ...]:
    """Say which number of workers and which decoder to use.

    Args:
        throughput: Rates of some decoders and numbers of workers; the first belongs to the usual decoder.

    Returns:
        Sentences.
    """
    usual = [each for each in throughput if each.decoder == throughput[0].decoder]
    most = max(each.videos_per_s for each in usual)
    best = min((each for each in usual if each.videos_per_s >= _AS_GOOD * most), key=lambda each: each.workers)
    fastest = max((each for each in throughput if each.workers == best.workers), key=lambda each: each.videos_per_s)
    gain = fastest.videos_per_s / best.videos_per_s
    sentences = [_about_workers(best, sorted(each.workers for each in usual))]
    if gain >= _FASTER:
        sentences.append(
            f"--data.decoder {fastest.decoder} is {gain:.1f} times as fast as {best.decoder} on these videos."
        )
    return tuple(sentences)


def _about_workers(best: Throughput, tried: Sequence[int]) -> str:
    text = f"Use --data.num_workers {best.workers}: {best.videos_per_s:.1f} videos a second with {best.decoder}"
    if len(tried) > 1:
        text += f", the most of {', '.join(map(str, tried))} workers or nearly so"
    if best.workers == tried[-1] == available_cores() and best.workers > 1:
        text += "; every core is busy, so more cores would deliver more"
    return text + "."
