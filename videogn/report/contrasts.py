"""Sums and differences of results that share their test videos, with intervals and tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from videogn.report.clip_counts import ClipFiles, ClipHits
from videogn.report.layout import accuracy
from videogn.report.statistics import Interval, bootstrap_interval, mcnemar_p, paired_t_p, t_interval
from videogn.study.cell_files import CellResult

#: +1 or -1, and seed -> result.
Term: TypeAlias = tuple[int, Mapping[int, CellResult]]


@dataclass(frozen=True)
class Discordance:
    """McNemar's comparison of two networks.

    Attributes:
        seed: Seed of both.
        only_first: Number of videos that only the first has right.
        only_second: Number of videos that only the second has right.
        p: Two-sided p value of the exact test.
    """

    seed: int
    only_first: int
    only_second: int
    p: float


@dataclass(frozen=True)
class Contrast:
    """A sum of accuracies with signs, in percentage points.

    Attributes:
        over_seeds: Mean of the seeds' own contrasts, with Student's interval.
        p: p value of Student's paired t test over the seeds; None for one seed, or where all seeds differ equally.
        over_videos: The same mean, with the bootstrap's interval over the videos; None without clip files.
        tests: McNemar's test of each seed, for a difference of two; empty without clip files.
    """

    over_seeds: Interval
    p: float | None
    over_videos: Interval | None
    tests: tuple[Discordance, ...] = ()

    @property
    def best(self) -> tuple[Interval, str]:
        """Interval over seeds where there are several, else over videos if known; and "seeds" or "videos"."""
        if self.over_seeds.count > 1 or self.over_videos is None:
            return self.over_seeds, "seeds"
        return self.over_videos, "videos"


def contrast(terms: Sequence[Term], files: ClipFiles) -> Contrast | None:
    """Compute a contrast over the seeds that all its terms have.

    Args:
        terms: Signs and results, for instance [(1, BN's results), (-1, GN's)].
        files: Clip files of the study.

    Returns:
        The contrast, or None where no seed is finished in all terms.
    """
    seeds = [seed for seed in terms[0][1] if all(_accuracy(results, seed) is not None for _, results in terms)]
    if not seeds:
        return None
    values = [sum(sign * (_accuracy(results, seed) or 0.0) for sign, results in terms) for seed in seeds]
    hits = [[files.hits(results[seed]) for _, results in terms] for seed in seeds]
    paired = _paired(hits)
    if paired is None:
        return Contrast(t_interval(values), paired_t_p(values), None)
    signs = np.array([sign for sign, _ in terms])
    correct = np.array([[one.correct for one in of_seed] for of_seed in paired], dtype=np.int64)  # (S, terms, N)
    by_video = np.einsum("t,stn->n", signs, correct) * 100 / len(seeds)
    tests = (
        tuple(_discordance(seed, *pair) for seed, pair in zip(seeds, correct, strict=True)) if len(terms) == 2 else ()
    )
    return Contrast(t_interval(values), paired_t_p(values), bootstrap_interval(by_video), tests)


def _accuracy(results: Mapping[int, CellResult], seed: int) -> float | None:
    return accuracy(results[seed]) if seed in results else None


def _paired(hits: Sequence[Sequence[ClipHits | None]]) -> list[list[ClipHits]] | None:
    """All of them, provided that all are there and about the same videos."""
    found = [[one for one in of_seed if one is not None] for of_seed in hits]
    whole = all(len(some) == len(all_) for some, all_ in zip(found, hits, strict=True))
    same = len({one.videos for of_seed in found for one in of_seed}) == 1
    return found if whole and same else None


def _discordance(seed: int, first: np.ndarray, second: np.ndarray) -> Discordance:
    only_first, only_second = int((first > second).sum()), int((second > first).sum())
    return Discordance(seed, only_first, only_second, mcnemar_p(only_first, only_second))
