"""Tables of paired differences: between norms, from large batches to small, between clip lengths."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.report.clip_counts import ClipFiles
from videogn.report.contrasts import Contrast, contrast
from videogn.report.document_blocks import DASH, Table
from videogn.report.layout import Clip, Layout, Row
from videogn.report.numbers import MINUS, between, p_value, with_interval
from videogn.report.statistics import RESAMPLES
from videogn.study.cell import Norm

_INTERVALS = ["mean ± 95 % over seeds", "95 % over videos"]
EXPLANATION = (
    "Differences are percentage points of top-1 accuracy and paired: the same seed, the same test videos. "
    "The interval over seeds is Student's t of the seeds' differences; it covers how trainings differ, for these test "
    "videos, and is wide with few seeds. The interval over videos is a percentile bootstrap of the test videos "
    f"({RESAMPLES:,} resamples of the difference averaged over seeds); it covers which videos happen to be in the test "
    "set, and not how another training would have come out. Neither covers another data set or another recipe. "
    "Videos that could not be tested count as wrong."
)


def norm_differences(layout: Layout, files: ClipFiles) -> list[tuple[str, Row, Contrast]]:
    """The first norm minus each other one, at every setting where both are finished: (name, row, contrast)."""
    found = []
    for row in layout.rows:
        first = layout.norms[0]
        for other in layout.norms[1:]:
            pair = contrast([(1, layout.results(row, first)), (-1, layout.results(row, other))], files)
            if pair is not None:
                found.append((difference_label(first, other), row, pair))
    return found


def difference_label(first: Norm, other: Norm) -> str:
    """For instance "BN − GN", "BN − (GN, groups 8)"."""
    return f" {MINUS} ".join(f"({n.label})" if n.options else n.label for n in (first, other))


def norm_difference_table(layout: Layout, found: Sequence[tuple[str, Row, Contrast]]) -> Table:
    """Intervals of the differences between norms."""
    rows = [[*layout.cells(row), name, with_interval(c.over_seeds), between(c.over_videos)] for name, row, c in found]
    head = [*layout.head, "difference", *_INTERVALS]
    return Table(head, rows, "Differences between norms (percentage points of top-1).", len(head) - 2)


def mcnemar_table(layout: Layout, found: Sequence[tuple[str, Row, Contrast]]) -> Table | None:
    """McNemar's test of each seed, or None without clip files."""
    seeds = sorted({test.seed for _, _, c in found for test in c.tests})
    if not seeds:
        return None
    rows = []
    for name, row, c in found:
        tests = {test.seed: f"{test.only_first} / {test.only_second}, {p_value(test.p)}" for test in c.tests}
        rows.append([*layout.cells(row), name, *(tests.get(seed, DASH) for seed in seeds)])
    number = sum(len(c.tests) for _, _, c in found)
    caption = (
        "McNemar's exact test of each seed: videos that only the first norm has right / only the second, and the "
        f"two-sided p value. It compares two trained networks, not two methods. {number} p values, not corrected for "
        f"their number: with no difference anywhere, at most about {0.05 * number:.1f} of them would be expected below "
        "0.05."
    )
    head = [*layout.head, "difference", *(f"seed {seed}" for seed in seeds)]
    return Table(head, rows, caption, len(layout.head) + 1)


def batch_effects(layout: Layout, files: ClipFiles) -> list[tuple[Clip, int, int, str, Contrast]]:
    """From the largest batch to the smallest: (clip, largest, smallest, norm or difference of norms, contrast).

    After the norms of a clip come the differences of their changes: of the first norm's and each other one's.
    """
    found = []
    for clip in layout.clips:
        sizes = layout.batch_sizes(clip)
        if len(sizes) < 2:
            continue
        large, small = Row(clip, sizes[0]), Row(clip, sizes[-1])
        changes = {norm: [(1, layout.results(small, norm)), (-1, layout.results(large, norm))] for norm in layout.norms}
        named = [(norm.label, terms) for norm, terms in changes.items()]
        first = layout.norms[0]
        for other in layout.norms[1:]:
            both = [*changes[first], *((-sign, results) for sign, results in changes[other])]
            named.append((difference_label(first, other), both))
        for name, terms in named:
            if (change := contrast(terms, files)) is not None:
                found.append((clip, sizes[0], sizes[-1], name, change))
    return found


def batch_effect_table(layout: Layout, found: Sequence[tuple[Clip, int, int, str, Contrast]]) -> Table:
    """What small batches change."""
    rows = [
        [layout.clip_label(clip), f"{large} to {small}", name, with_interval(c.over_seeds), between(c.over_videos)]
        for clip, large, small, name, c in found
    ]
    caption = (
        "From the largest batch to the smallest: change of top-1 (percentage points; below 0: lost). A row with two "
        "norms is the difference of their changes: below 0, the first norm loses more."
    )
    return Table(["clip length x interval", "batch size", "norm", *_INTERVALS], rows, caption, 3)


def clip_effects(layout: Layout, files: ClipFiles) -> list[tuple[Row, Row, Norm, Contrast]]:
    """Longer clips minus shorter ones: (longer, shorter, norm, contrast).

    At equal batch size, and, where the product of clip length and batch size is equal instead, at that: about what
    fits in equal memory. Memory mode and initial weights are equal in both.
    """
    found = []
    pairs = [(longer, shorter) for shorter in layout.rows for longer in layout.rows if _longer(longer, shorter)]
    for equal_batch in (True, False):
        for longer, shorter in pairs:
            if (longer.batch_size == shorter.batch_size) != equal_batch:
                continue
            if not equal_batch and longer.clip.length * longer.batch_size != shorter.clip.length * shorter.batch_size:
                continue
            for norm in layout.norms:
                c = contrast([(1, layout.results(longer, norm)), (-1, layout.results(shorter, norm))], files)
                if c is not None:
                    found.append((longer, shorter, norm, c))
    return found


def clip_effect_table(layout: Layout, found: Sequence[tuple[Row, Row, Norm, Contrast]]) -> Table:
    """What longer clips change."""
    rows = [
        [
            f"{layout.clip_label(longer.clip)} {MINUS} {layout.clip_label(shorter.clip)}",
            str(longer.batch_size)
            if longer.batch_size == shorter.batch_size
            else f"{longer.batch_size} {MINUS} {shorter.batch_size}",
            norm.label,
            with_interval(c.over_seeds),
            between(c.over_videos),
        ]
        for longer, shorter, norm, c in found
    ]
    caption = (
        "Longer clips minus shorter ones: change of top-1 (percentage points) at equal batch size, and at equal frames "
        "a batch (two batch sizes), which need about the same memory."
    )
    return Table(["clip length x interval", "batch size", "norm", *_INTERVALS], rows, caption, 3)


def _longer(longer: Row, shorter: Row) -> bool:
    one, other = longer.clip, shorter.clip
    return one.length > other.length and (one.memory_mode, one.start) == (other.memory_mode, other.start)
