"""The first screens of a report: the summary, the accuracies of every budget and what qualifies them."""

from __future__ import annotations

from collections.abc import Sequence

from videogn.report.document_blocks import Block, Bullets, Heading, Paragraph
from videogn.report.figures import plot_batch_sizes
from videogn.report.layout import Layout
from videogn.report.material import Material, Materials, figure
from videogn.report.number_format import listing
from videogn.report.qualifications import qualifications
from videogn.report.summary import in_brief, summarise
from videogn.report.tables import accuracy_table


def front_blocks(materials: Materials) -> list[Block]:
    """Write what one reads first.

    Args:
        materials: Results of all budgets, finished or not.

    Returns:
        The blocks.
    """
    lead, *others = materials
    blocks: list[Block] = [Heading("In short"), Paragraph(f"{lead.layout.section.title}:")]
    blocks.append(Bullets(summarise(lead.layout, lead.differences)))
    blocks.append(Heading("Accuracy"))
    several = bool(others)
    for material in materials:
        layout = material.layout
        blocks += [Heading(layout.section.title, 3)] if several else []
        blocks += [Paragraph(text) for text in (layout.section.note, _starts(layout)) if text]
        blocks.append(accuracy_table(layout))
        said = [*qualifications(layout), *(in_brief(layout, material.differences) if material is not lead else [])]
        blocks += [Bullets(said)] if said else []
        blocks += accuracy_figure(material) if material is lead else []
    return blocks


def accuracy_figure(material: Material) -> list[Block]:
    """Accuracy against batch size."""
    layout = material.layout
    spread = "Bars: 95 % interval over seeds; small dots: seeds. "
    if len(layout.seeds) == 1:
        spread = "One seed: no bars, since the spread is not known. "
    caption = (
        f"Top-1 accuracy against batch size. {spread}Points at one batch size stand a little apart; the vertical axis "
        "does not begin at 0. Last panel: the paper's Table 2 (ImageNet, validation error, upside down so that up is "
        "better), not measured here; it shares the colours, and neither the task nor the scale."
    )
    alt = (
        f"Accuracy of {listing(layout.labels.values())} against batch size, a panel for each kind of {layout.unit}; "
        "the numbers are in the table of accuracies. Beside it the paper's ImageNet error."
    )
    return figure(plot_batch_sizes(layout, material.styles, material.figure("batch_size")), caption, alt)


def _starts(layout: Layout) -> str:
    sources: Sequence[str] = [layout.weights(start) for start in layout.starts]
    return "" if sources == ["random"] else f"Initial weights: {listing(sources)}."
