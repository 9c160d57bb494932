"""What a section's numbers say, in sentences that claim no more than they do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from videogn.report.clip_counts import ClipFiles
from videogn.report.contrasts import Contrast
from videogn.report.differences import batch_effects, clip_effects, norm_differences
from videogn.report.layout import Clip, Layout, Row
from videogn.report.numbers import between, counted, listing, signed
from videogn.study.cell import Norm

#: With more of them not every difference is put into words.
_MOST_NORMS = 2
BatchEffects: TypeAlias = Sequence[tuple[Clip, int, int, str, Contrast]]


def summarise(layout: Layout, files: ClipFiles) -> list[str]:
    """Sentences about a section: how complete it is, small batches, norms, longer clips, how to read the intervals.

    Args:
        layout: of the section.
        files: of the study.

    Returns:
        A bullet each.
    """
    found = len(layout.finished)
    planned = len(layout.section.cells)
    seeds = sorted({result.cell.seed for result in layout.finished})
    if not found:
        return [f"None of {counted(planned, 'cell')} is finished."]
    items = [_completeness(found, planned, seeds)]
    items += _small_batches(layout, batch_effects(layout, files))
    items += _norms(layout, norm_differences(layout, files))
    items += _longer_clips(layout, clip_effects(layout, files))
    if len(items) > 1:
        items.append(
            "An interval that includes 0 is compatible with no difference; it does not show that there is none. The "
            "intervals are not corrected for their number."
        )
    return items


def _completeness(found: int, planned: int, seeds: Sequence[int]) -> str:
    verb = "is" if planned == 1 else "are"
    done = f"{'All' if found == planned else f'{found} of'} {counted(planned, 'cell')} {verb} finished"
    rest = "" if found == planned else " (the others are dashes in the tables, and listed below with their state)"
    if len(seeds) == 1:
        return (
            f"{done}{rest}. One seed ({seeds[0]}): how much other trainings would differ is not known, and the "
            "95 % intervals below cover the choice of test videos only."
        )
    return (
        f"{done}{rest}, with {len(seeds)} seeds ({listing(seeds)}). Intervals in this summary are 95 % intervals "
        "over the seeds, where it does not say otherwise."
    )


def _small_batches(layout: Layout, effects: BatchEffects) -> list[str]:
    """One sentence for each clip."""
    items = []
    labels = {norm.label for norm in layout.norms}
    for clip in dict.fromkeys(effect[0] for effect in effects):
        own = [effect for effect in effects if effect[0] == clip]
        _, large, small, _, _ = own[0]
        changes = [f"{name} {_change(c)}" for _, _, _, name, c in own if name in labels]
        # Of many norms the table tells; sentences about every pair of them would hide the rest.
        both = (
            []
            if len(labels) > _MOST_NORMS
            else [f"{name} is {_value(c)}" for _, _, _, name, c in own if name not in labels]
        )
        text = f"Clips of {layout.clip_label(clip)}, from batch {large} to batch {small}: {'; '.join(changes)}."
        items.append(text + (f" Of these changes, {'; '.join(both)}." if both else ""))
    return items


def _norms(layout: Layout, differences: Sequence[tuple[str, Row, Contrast]]) -> list[str]:
    """The norms at the largest and the smallest batch of each clip."""
    items = []
    for clip in layout.clips:
        sizes = layout.batch_sizes(clip)
        ends = dict.fromkeys((sizes[0], sizes[-1]) if len(layout.norms) <= _MOST_NORMS else sizes[-1:])
        parts = [
            f"{name} is {_value(c)} at batch {row.batch_size}"
            for size in ends
            for name, row, c in differences
            if row == Row(clip, size)
        ]
        if parts:
            items.append(f"Clips of {layout.clip_label(clip)}: {'; '.join(parts)}.")
    return items


def _longer_clips(layout: Layout, effects: Sequence[tuple[Row, Row, Norm, Contrast]]) -> list[str]:
    """Longer clips at the smallest batch size that both have, and at equal frames a batch."""
    items = []
    pairs = list(dict.fromkeys((longer, shorter) for longer, shorter, _, _ in effects))
    for clips in dict.fromkeys((longer.clip, shorter.clip) for longer, shorter in pairs):
        of_clips = [pair for pair in pairs if (pair[0].clip, pair[1].clip) == clips]
        equal = min((pair for pair in of_clips if _equal(pair)), key=lambda pair: pair[0].batch_size, default=None)
        traded = min((pair for pair in of_clips if not _equal(pair)), key=lambda p: p[0].batch_size, default=None)
        for pair in (equal, traded):
            if pair is not None:
                changes = [f"{norm.label} {_change(c)}" for a, b, norm, c in effects if (a, b) == pair]
                items.append(f"{layout.label(pair[0])} instead of {layout.label(pair[1])}: {'; '.join(changes)}.")
    return items


def _equal(pair: tuple[Row, Row]) -> bool:
    return pair[0].batch_size == pair[1].batch_size


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
