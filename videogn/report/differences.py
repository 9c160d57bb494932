"""Paired differences: between norms, from large batches to small, from short clips to long; as numbers and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from videogn.report.clip_counts import ClipFiles
from videogn.report.contrasts import Contrast, Term, contrast
from videogn.report.document_blocks import DASH, Table
from videogn.report.layout import Clip, Layout, Row
from videogn.report.number_format import MINUS, between, p_number, p_value, with_interval
from videogn.report.statistics import RESAMPLES, holm
from videogn.study.cell import Norm

#: Row, row before, name, and the terms of the contrast.
_Terms: TypeAlias = tuple[Row, Row, str, list[Term]]
BETWEEN_NORMS = "Differences between norms (percentage points of top-1)."
SMALLER_BATCHES = (
    "From the largest batch to the smallest: change of top-1 (percentage points; below 0: lost). A row with two norms "
    "is the difference of their changes: below 0, the first norm loses more."
)
LONGER_CLIPS = (
    "From shorter clips to longer ones: change of top-1 (percentage points) at equal batch size, and at equal frames a "
    "batch (two batch sizes), which need about the same memory."
)


@dataclass(frozen=True)
class Difference:
    """A difference of two settings, of two norms at one setting, or of two norms' differences.

    Attributes:
        row: Setting that is compared.
        before: Setting that it is compared with; the same one between norms.
        name: Label of the norm, or "BN − GN" for two of them.
        contrast: The difference, `row` minus `before`.
    """

    row: Row
    before: Row
    name: str
    contrast: Contrast


@dataclass(frozen=True)
class Differences:
    """All differences of a section, computed once.

    Attributes:
        norms: First norm minus each other one, at every setting where both are finished.
        batches: Smallest batch minus largest, for each clip: every norm, then the first norm's change minus each other
            one's.
        clips: Longer clips minus shorter ones for every norm, at equal batch size; then where the product of clip
            length and batch size is equal instead: about what fits in equal memory.
    """

    norms: Sequence[Difference]
    batches: Sequence[Difference]
    clips: Sequence[Difference]

    @property
    def all(self) -> list[Difference]:
        """Those of all kinds."""
        return [*self.norms, *self.batches, *self.clips]


def differences(layout: Layout, files: ClipFiles) -> Differences:
    """Compute the differences of a section.

    Args:
        layout: The section.
        files: Clip files of the study.

    Returns:
        The differences whose settings are finished for at least one common seed.
    """
    first, *others = layout.norms
    pairs = [(longer, shorter) for shorter in layout.rows for longer in layout.rows if _longer(longer, shorter)]
    equal_batch = [(longer, shorter) for longer, shorter in pairs if longer.batch_size == shorter.batch_size]
    equal_frames = [(longer, shorter) for longer, shorter in pairs if _frames(longer) == _frames(shorter)]
    norms: list[_Terms] = [
        (row, row, _pair(layout, first, other), [(1, layout.results(row, first)), (-1, layout.results(row, other))])
        for row in layout.rows
        for other in others
    ]
    batches = [found for clip in layout.clips for found in _smaller_batch(layout, clip)]
    clips: list[_Terms] = [
        (longer, shorter, layout.labels[norm], _change(layout, norm, longer, shorter))
        for longer, shorter in [*equal_batch, *equal_frames]
        for norm in layout.norms
    ]
    return Differences(*(_computed(terms, files) for terms in (norms, batches, clips)))


def explanation(found: Sequence[Difference], example: str = "video") -> str:
    """Explain how differences are computed, and what their intervals cover; `example` is what a test counts."""
    over_videos = (
        f"it covers which {example}s happen to be in the test set, and not how another training run would have come "
        "out."
    )
    if any(one.contrast.over_seeds.count > 1 for one in found):
        intervals = (
            "The interval over seeds is Student's t of the seeds' differences; it covers how training runs differ, for "
            f"these test {example}s, and is wide with few seeds. p is that of the same t: were there no difference, "
            "one as large would be this likely; p (Holm) is corrected for the number of rows of its table, so that "
            f"with no difference anywhere one below 0.05 is at most 5 % likely. The interval over {example}s is a "
            f"percentile bootstrap of the test {example}s ({RESAMPLES:,} resamples of the difference averaged over "
            "seeds); "
            f"{over_videos} Neither covers"
        )
    else:
        intervals = (
            f"The interval is a percentile bootstrap of the test {example}s ({RESAMPLES:,} resamples); {over_videos} "
            "With one seed that is not known. Nor does it cover"
        )
    return (
        f"Differences are percentage points of top-1 accuracy and paired: the same seed, the same test {example}s. "
        f"{intervals} another data set or another recipe. {example.capitalize()}s that could not be tested count as "
        "wrong."
    )


def difference_table(layout: Layout, found: Sequence[Difference], caption: str) -> Table:
    """Tabulate the intervals of differences.

    Args:
        layout: The section.
        found: Differences of one kind.
        caption: Caption of the table.

    Returns:
        A row for each difference.
    """
    several = any(one.contrast.over_seeds.count > 1 for one in found)
    corrected = iter(holm([one.contrast.p for one in found if one.contrast.p is not None]))
    rows = []
    for one in found:
        p = one.contrast.p
        tested = [DASH, DASH] if p is None else [p_number(p), p_number(next(corrected))]
        over_seeds, over_videos = with_interval(one.contrast.over_seeds), between(one.contrast.over_videos)
        rows.append([*_setting(layout, one), one.name, over_seeds, *(tested if several else []), over_videos])
    means = ["mean ± 95 % over seeds", "p", "p (Holm)"] if several else ["difference (one seed)"]
    head = [*layout.place_head, "norm"]
    return Table([*head, *means, f"95 % over {layout.example}s"], rows, caption, len(head))


def mcnemar_table(layout: Layout, found: Sequence[Difference]) -> Table | None:
    """Tabulate McNemar's test of each seed; None without clip files."""
    seeds = sorted({test.seed for one in found for test in one.contrast.tests})
    if not seeds:
        return None
    corrected = iter(holm([test.p for one in found for test in one.contrast.tests]))
    rows = []
    for one in found:
        tests = {
            t.seed: f"{t.only_first} / {t.only_second}, {p_value(t.p)} ({p_number(next(corrected))})"
            for t in one.contrast.tests
        }
        rows.append([*_setting(layout, one), one.name, *(tests.get(seed, DASH) for seed in seeds)])
    number = sum(len(one.contrast.tests) for one in found)
    caption = (
        f"McNemar's exact test of each seed: {layout.example}s that only the first norm has right / only the second, "
        f"and the two-sided p value; in brackets, corrected by Holm for all {number} of the table. It compares two "
        "trained networks, not two methods."
    )
    head = [*layout.place_head, "norm"]
    return Table([*head, *(f"seed {seed}" for seed in seeds)], rows, caption, len(head))


def _setting(layout: Layout, one: Difference) -> list[str]:
    """Clip and batch size, for instance "8 x 2" and "8 to 2"."""
    clips = [layout.clip_label(row.clip) for row in (one.before, one.row)]
    sizes = [str(row.batch_size) for row in (one.before, one.row)]
    return [" to ".join(dict.fromkeys(values)) for values in (clips, sizes)][-len(layout.place_head) :]


def _pair(layout: Layout, first: Norm, other: Norm) -> str:
    """Name of a difference of norms, for instance "BN − GN", "BN − (GN, groups 8)"."""
    labels = [layout.labels[norm] for norm in (first, other)]
    return f" {MINUS} ".join(f"({label})" if ", " in label else label for label in labels)


def _smaller_batch(layout: Layout, clip: Clip) -> list[_Terms]:
    """Changes of a clip from its largest batch to its smallest: of every norm, then those of two norms compared."""
    sizes = layout.batch_sizes(clip)
    if len(sizes) < 2:
        return []
    large, small = Row(clip, sizes[0]), Row(clip, sizes[-1])
    changes = {norm: _change(layout, norm, small, large) for norm in layout.norms}
    first, *others = layout.norms
    named = [(layout.labels[norm], terms) for norm, terms in changes.items()]
    for other in others:
        opposite = [(-sign, results) for sign, results in changes[other]]
        named.append((_pair(layout, first, other), [*changes[first], *opposite]))
    return [(small, large, name, terms) for name, terms in named]


def _change(layout: Layout, norm: Norm, row: Row, before: Row) -> list[Term]:
    return [(1, layout.results(row, norm)), (-1, layout.results(before, norm))]


def _computed(terms: Sequence[_Terms], files: ClipFiles) -> list[Difference]:
    found = ((row, before, name, contrast(of, files)) for row, before, name, of in terms)
    return [Difference(row, before, name, known) for row, before, name, known in found if known is not None]


def _longer(longer: Row, shorter: Row) -> bool:
    one, other = longer.clip, shorter.clip
    return one.length > other.length and replace(one, length=0, interval=0) == replace(other, length=0, interval=0)


def _frames(row: Row) -> int:
    """Frames of a batch."""
    return row.clip.length * row.batch_size
