"""A section's numbers in sentences that claim no more than they do."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.report.contrasts import Contrast
from videogn.report.differences import Difference, Differences
from videogn.report.layout import MOST_ACROSS, Layout, Row, mean_accuracy
from videogn.report.number_format import between, listing, signed
from videogn.report.statistics import holm
from videogn.system.sizes import counted

#: With more norms not every difference is put into words: sentences about every pair would hide the rest.
_MOST_NORMS = 2


def summarise(layout: Layout, found: Differences) -> list[str]:
    """Sum up a section: how complete it is, small batches, norms, longer clips, how to read the intervals.

    Args:
        layout: The section.
        found: Its differences.

    Returns:
        A bullet each.
    """
    if not layout.finished:
        return [f"None of {counted(len(layout.section.cells), 'cell')} is finished."]
    said = [*_small_batches(layout, found.batches), *_norms(layout, found.norms), *_longer_clips(layout, found.clips)]
    if said:
        said.append(
            "An interval that includes 0 is compatible with no difference; it does not show that there is none. The "
            "intervals are not corrected for their number; the p values beside the differences below are, by Holm."
        )
    return [_completeness(layout), *said]


def in_brief(layout: Layout, found: Differences) -> list[str]:
    """Sum up a section that does not lead: what is missing, and small batches."""
    if not layout.finished:
        return []
    whole = len(layout.finished) == len(layout.section.cells)
    return [*([] if whole else [_completeness(layout)]), *_small_batches(layout, found.batches)]


def _completeness(layout: Layout) -> str:
    done, planned = len(layout.finished), len(layout.section.cells)
    seeds = sorted({result.cell.seed for result in layout.finished})
    cells = f"{counted(planned, 'cell')} {'is' if planned == 1 else 'are'} finished"
    if done == planned:
        text = f"The {cells}" if planned == 1 else f"All {cells}"
    else:
        text = f"{done} of {cells} (the others are dashes in the tables, and listed below with their state)"
    if len(seeds) == 1:
        return (
            f"{text}. One seed ({seeds[0]}): how much other training runs would differ is not known, and the 95 % "
            "intervals below cover the choice of test videos only."
        )
    return (
        f"{text}, with {len(seeds)} seeds ({listing(seeds)}). Intervals in this summary are 95 % intervals over the "
        "seeds, where it does not say otherwise."
    )


def _small_batches(layout: Layout, found: Sequence[Difference]) -> list[str]:
    """One sentence for each clip."""
    items = []
    labels = set(layout.labels.values())
    for row, before in dict.fromkeys((one.row, one.before) for one in found):
        own = [one for one in found if one.row == row]
        changes = [f"{one.name} {_change(one.contrast)}" for one in own if one.name in labels]
        both = [f"{one.name} is {_value(one.contrast)}" for one in own if one.name not in labels]
        sizes = f"from batch {before.batch_size} to batch {row.batch_size}"
        text = f"{_capital(layout.of_clip(row.clip))}, {sizes}: {'; '.join(changes)}."
        items.append(text + (f" Of these changes, {'; '.join(both)}." if both and len(labels) <= _MOST_NORMS else ""))
    return items


def _norms(layout: Layout, found: Sequence[Difference]) -> list[str]:
    """The norms at the largest and the smallest batch of each clip; many of them in their order."""
    if len(layout.norms) > MOST_ACROSS:
        return [_order(layout, row, [one for one in found if one.row == row]) for row in layout.rows]
    items = []
    for clip in layout.clips:
        sizes = layout.batch_sizes(clip)
        ends = dict.fromkeys((sizes[0], sizes[-1]) if len(layout.norms) <= _MOST_NORMS else sizes[-1:])
        parts = [
            f"{one.name} is {_value(one.contrast)} at batch {size}"
            for size in ends
            for one in found
            if one.row == Row(clip, size)
        ]
        if parts:
            items.append(f"{_capital(layout.of_clip(clip))}: {'; '.join(parts)}.")
    return items


def _order(layout: Layout, row: Row, found: Sequence[Difference]) -> str:
    """Many norms of a setting, the best first, and which of them differ from the first norm of the study."""
    means = {
        label: mean.mean
        for norm, label in layout.labels.items()
        if (mean := mean_accuracy(result.test for result in layout.results(row, norm).values())) is not None
    }
    ordered = "; ".join(f"{label}: {means[label]:.1f}" for label in sorted(means, key=lambda label: -means[label]))
    text = f"{_capital(layout.label(row))}, mean top-1 (%), best first: {ordered}."
    tested = [one for one in found if one.contrast.p is not None]
    if not tested:
        return text
    corrected = holm([one.contrast.p for one in tested if one.contrast.p is not None])
    clear = [one.name for one, p in zip(tested, corrected, strict=True) if p < 0.05]
    return f"{text} Differences with p (Holm) below 0.05: {'; '.join(clear) or 'none'}."


def _longer_clips(layout: Layout, found: Sequence[Difference]) -> list[str]:
    """Longer clips at the smallest batch size that both have, and at equal frames a batch."""
    chosen: dict[object, tuple[Row, Row]] = {}
    pairs = dict.fromkeys((one.row, one.before) for one in found)
    for row, before in sorted(pairs, key=lambda pair: pair[0].batch_size):
        chosen.setdefault((row.clip, before.clip, row.batch_size == before.batch_size), (row, before))
    items = []
    for row, before in (pair for pair in pairs if pair in chosen.values()):
        changes = [f"{one.name} {_change(one.contrast)}" for one in found if (one.row, one.before) == (row, before)]
        items.append(f"{layout.label(row)} instead of {layout.label(before)}: {'; '.join(changes)}.")
    return items


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _change(c: Contrast) -> str:
    interval, _ = c.best
    if interval.includes_zero in (None, True):
        return f"changes by {_value(c)}"
    points = signed(abs(interval.mean)).lstrip("+")
    return f"{'falls by' if interval.mean < 0 else 'gains'} {points} points ({_ends(c)})"


def _value(c: Contrast) -> str:
    return f"{signed(c.best[0].mean)} points ({_ends(c)})"


def _ends(c: Contrast) -> str:
    interval, over = c.best
    if interval.includes_zero is None:
        return "no interval: one seed, and not both clip files"
    text = between(interval) + (" over videos" if over == "videos" else "")
    return f"{text}, which includes 0" if interval.includes_zero else text
