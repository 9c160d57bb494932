"""What qualifies a table of accuracies, in sentences that stand beside it."""

from __future__ import annotations

from videogn.choices import CLIP_NORMS
from videogn.report.layout import Layout, Row
from videogn.report.number_format import listing
from videogn.study.cell import Norm
from videogn.system.sizes import format_size

#: Planned needs that differ by less than this factor are called equal.
_EQUAL = 1.02


def qualifications(layout: Layout) -> list[str]:
    """Say what the reader of a section's accuracies has to know: flat by construction, unequal memory.

    Args:
        layout: The section.

    Returns:
        A sentence or two each; none where nothing applies.
    """
    return [*_flat(layout), *_unequal_memory(layout)]


def _flat(layout: Layout) -> list[str]:
    """Norms that look at each clip alone, where different batches add up to equal steps."""
    alone = [layout.labels[norm] for norm in layout.norms if norm.name in CLIP_NORMS]
    steps: dict[object, set[int]] = {}
    for cell in layout.section.cells:
        alike = (cell.clip_length, cell.interval, cell.memory_mode, cell.schedule, cell.clips_per_step)
        steps.setdefault(alike, set()).add(cell.accumulate)
    if not alone or all(len(accumulated) == 1 for accumulated in steps.values()):
        return []
    one = len(alone) == 1
    return [
        f"{listing(alone)} {'is' if one else 'are'} flat by construction here: batches are added up to equal steps, "
        f"and {'a norm that looks' if one else 'norms that look'} at each {layout.unit} alone then "
        f"{'has' if one else 'have'} the same gradients at every batch size, up to rounding and random draws. What "
        f"differs between {'its' if one else 'their'} rows is how much training runs differ for no reason."
    ]


def _unequal_memory(layout: Layout) -> list[str]:
    """The setting at which the planned memory of the norms differs most."""
    found: list[tuple[float, Row, dict[Norm, int]]] = []
    for row in layout.rows:
        planned = {norm: peak for norm in layout.norms if (peak := _planned(layout, row, norm))}
        if planned:
            found.append((max(planned.values()) / min(planned.values()), row, planned))
    if not found:
        return []
    ratio, row, planned = max(found, key=lambda one: one[0])
    if ratio < _EQUAL:
        return []
    most, least = max(planned, key=planned.__getitem__), min(planned, key=planned.__getitem__)
    return [
        f"Equal batches are not equal memory: a training step of {layout.labels[most]} is planned to need "
        f"{format_size(planned[most])} where {layout.labels[least]} needs {format_size(planned[least])} "
        f"({layout.label(row)})."
    ]


def _planned(layout: Layout, row: Row, norm: Norm) -> int | None:
    return next((result.planned.get("peak_bytes") for result in layout.results(row, norm).values()), None)
