"""What the measurements mean for whoever sets up a training, in words."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.bench.memory import MemoryGrowth
from videogn.bench.resizing import ResizeGain
from videogn.bench.throughput import Throughput
from videogn.system.cores import available_cores
from videogn.system.sizes import format_size

#: Fewer workers are as good when they deliver this part of the most.
_AS_GOOD = 0.95
#: Re-encoding a set is worth the trouble from this gain on.
_PAYS_FROM = 1.2
#: Bytes that a worker may grow by over 1000 videos.
_FLAT = 10e6


def suggestions(
    throughput: Sequence[Throughput], resizing: ResizeGain | None, memory: MemoryGrowth | None
) -> tuple[str, ...]:
    """Say what to do.

    Args:
        throughput: of some decoders and numbers of workers, the usual decoder first.
        resizing: what re-encoding would bring.
        memory: of a worker.

    Returns:
        Sentences.
    """
    return tuple(
        sentence
        for sentence in (_workers(throughput), _decoder(throughput), _resize(resizing), _memory(memory))
        if sentence
    )


def best_workers(throughput: Sequence[Throughput]) -> Throughput:
    """The fewest workers of the first decoder that deliver nearly as much as any number of them."""
    usual = [each for each in throughput if each.decoder == throughput[0].decoder]
    most = max(each.videos_per_s for each in usual)
    return min((each for each in usual if each.videos_per_s >= _AS_GOOD * most), key=lambda each: each.workers)


def _workers(throughput: Sequence[Throughput]) -> str:
    if not throughput:
        return ""
    best = best_workers(throughput)
    tried = [each.workers for each in throughput if each.decoder == best.decoder]
    text = f"Use --data.num_workers {best.workers}: {best.videos_per_s:.1f} videos a second with {best.decoder}"
    if len(tried) > 1:
        text += f", the most of {', '.join(map(str, sorted(tried)))} workers or nearly so"
    if best.workers == max(tried) == available_cores() and best.workers > 1:
        text += "; every core is busy, so more cores would deliver more"
    return text + "."


def _decoder(throughput: Sequence[Throughput]) -> str:
    if not throughput:
        return ""
    best = best_workers(throughput)
    fastest = max((each for each in throughput if each.workers == best.workers), key=lambda each: each.videos_per_s)
    gain = fastest.videos_per_s / best.videos_per_s
    if fastest.decoder == best.decoder or gain < _PAYS_FROM:
        return ""
    return f"--data.decoder {fastest.decoder} is {gain:.1f} times as fast as {best.decoder} on these videos."


def _resize(resizing: ResizeGain | None) -> str:
    if resizing is None:
        return ""
    measured = (
        f"{resizing.ratio:.1f} times as fast ({1000 * resizing.source_s:.0f} ms a video now, "
        f"{1000 * resizing.resized_s:.0f} ms from copies with short side {resizing.short_side}, "
        f"measured on {resizing.videos} of them)"
    )
    if resizing.ratio < _PAYS_FROM:
        return f"Resizing the set would not pay: loading would be {measured}."
    return (
        f"Resizing the set once with `videogn data resize` would make loading {measured}. "
        f"It takes about {resizing.encode_s:.1f} s of one core for each video, "
        f"and {format_size(resizing.source_bytes)} a video become {format_size(resizing.resized_bytes)}."
    )


def _memory(memory: MemoryGrowth | None) -> str:
    if memory is None or memory.slope_bytes is None:
        return ""
    slope = f"{memory.slope_bytes / 1e6:+.1f} MB over 1000 videos"
    if memory.slope_bytes <= _FLAT:
        return f"A worker's memory is flat ({slope})."
    return f"A worker's memory grows ({slope}, over {memory.videos} videos): follow it over more with --memory-videos."
