"""One section of a report: the cells of one budget as tables, figures and sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from videogn.report.clip_counts import ClipFiles
from videogn.report.cost import cost_table, plot_costs, where_measured
from videogn.report.curves import plot_validation_errors
from videogn.report.differences import (
    EXPLANATION,
    batch_effect_table,
    batch_effects,
    clip_effect_table,
    clip_effects,
    mcnemar_table,
    norm_difference_table,
    norm_differences,
)
from videogn.report.document_blocks import Block, Bullets, Heading, Paragraph, Picture, Table
from videogn.report.figures import Styles, plot_batch_sizes, plot_clip_numbers, plot_groups
from videogn.report.layout import Layout
from videogn.report.numbers import listing
from videogn.report.summary import summarise
from videogn.report.tables import accuracy_table, group_tables, grouped_norms, paper_table_3


def section_blocks(
    layout: Layout, styles: Styles, files: ClipFiles, figure_path: Callable[[str], Path], *, leads: bool
) -> list[Block]:
    """Everything about a section.

    Args:
        layout: of the section.
        styles: of the norms.
        files: of the study.
        figure_path: name of a figure -> its file.
        leads: whether its summary stands at the top of the report already.

    Returns:
        The blocks; figures are written.
    """
    section = layout.section
    blocks: list[Block] = [Heading(section.title)]
    blocks += [Paragraph(text) for text in (section.note, _starts(layout)) if text]
    if not layout.finished:
        return [*blocks, accuracy_table(layout)]
    if not leads:
        blocks.append(Bullets(summarise(layout, files)))
    blocks += [Heading("Accuracy", 3), accuracy_table(layout)]
    blocks += _batch_size_figure(layout, styles, figure_path("batch_size"))
    blocks += _groups(layout, figure_path("groups"))
    blocks += _differences(layout, files)
    blocks += _curves(layout, figure_path("validation_error"))
    blocks += _clip_numbers(layout, styles, files, figure_path("test_clips"))
    return [*blocks, *_costs(layout, styles, figure_path("cost"))]


def _starts(layout: Layout) -> str:
    sources = [layout.weights(start) for start in layout.starts]
    return "" if sources == ["random"] else f"Initial weights: {listing(sources)}."


def _batch_size_figure(layout: Layout, styles: Styles, path: Path) -> list[Block]:
    written = plot_batch_sizes(layout, styles, path)
    if written is None:
        return []
    spread = (
        "Bars: 95 % interval over seeds; small dots: seeds. "
        if len(layout.seeds) > 1
        else "One seed: no bars, since the spread is not known. "
    )
    caption = (
        f"Top-1 accuracy against batch size. {spread}Points at one batch size stand a little apart so that they do not "
        "cover one another; the vertical axis does not begin at 0. Last panel: the paper's Table 2 (ResNet-50 on "
        "ImageNet, validation error, its axis upside down so that up is better in every panel), not measured here; it "
        "shares the colours, and neither the task nor the scale."
    )
    alt = (
        f"Accuracy of {listing(norm.label for norm in layout.norms)} against batch size, a panel for each clip length; "
        "the numbers are in the table above. Beside it the paper's ImageNet error, in the paper's Table 2 below."
    )
    return [Picture(written, caption, alt)]


def _groups(layout: Layout, path: Path) -> list[Block]:
    blocks: list[Block] = []
    pictures = plot_groups(layout, path)
    for picture, table, (name, option, _) in zip(pictures, group_tables(layout), grouped_norms(layout), strict=True):
        readable = option.replace("_", " ")
        caption = f"Top-1 accuracy of {name.upper()} against {readable}. The vertical axis does not begin at 0."
        alt = f"{caption} The numbers are in the table before it."
        blocks += [Heading(f"{name.upper()}: {readable}", 3), table, Picture(picture, caption, alt)]
        blocks += [paper_table_3(option)] if name == "gn" else []
    return blocks


def _differences(layout: Layout, files: ClipFiles) -> list[Block]:
    between_norms = norm_differences(layout, files)
    of_batches = batch_effects(layout, files)
    of_clips = clip_effects(layout, files)
    if not (between_norms or of_batches or of_clips):
        return []
    blocks: list[Block] = [Heading("Paired differences", 3), Paragraph(EXPLANATION)]
    found = [*(entry[-1] for entry in between_norms), *(entry[-1] for entry in of_batches)]
    if any(c.over_videos is None for c in [*found, *(entry[-1] for entry in of_clips)]):
        blocks.append(
            Paragraph("A dash: a cell's clip file is missing, or the cells were not tested on the same videos.")
        )
    if between_norms:
        blocks.append(Heading("Between norms", 4))
        blocks.append(norm_difference_table(layout, between_norms))
        tests: Table | None = mcnemar_table(layout, between_norms)
        blocks += [] if tests is None else [tests]
    if of_batches:
        blocks += [Heading("From large batches to small", 4), batch_effect_table(layout, of_batches)]
    if of_clips:
        blocks += [Heading("Longer clips", 4), clip_effect_table(layout, of_clips)]
    return blocks


def _curves(layout: Layout, path: Path) -> list[Block]:
    written = plot_validation_errors(layout, path)
    if written is None:
        return []
    seeds = "Mean over seeds; light lines are the seeds. " if len(layout.seeds) > 1 else ""
    caption = (
        f"Validation error of one clip a video while training, as in the paper's Figure 7. {seeds}Where there "
        "are many validations, markers stand at some of them only."
    )
    alt = f"Validation error while training, panels for {listing(norm.label for norm in layout.norms)}."
    return [Heading("While training", 3), Picture(written, caption, alt)]


def _clip_numbers(layout: Layout, styles: Styles, files: ClipFiles, path: Path) -> list[Block]:
    written = plot_clip_numbers(layout, styles, files, path)
    if written is None:
        return []
    protocols = {(r.test["protocol"]["clips"], r.test["protocol"]["starts"]) for r in layout.finished}
    same = (
        "With this study's protocol they are the very clips of an n-clip test where n divides V. "
        if {starts for _, starts in protocols} <= {"nonlocal", "slowfast"}
        else "They are not the clips that an n-clip test would take. "
    )
    caption = (
        "Top-1 accuracy with fewer test clips, from the saved probabilities of each clip: for n of V clips, the clips "
        f"floor(j V / n), j = 0 .. n-1, spread evenly, averaged. {same}Mean over seeds"
        f"{'; light lines are the seeds' if len(layout.seeds) > 1 else ' (one)'}. The vertical axis does not begin "
        "at 0."
    )
    alt = "Accuracy against the number of test clips, a panel for each setting."
    return [Heading("How many test clips", 3), Picture(written, caption, alt)]


def _costs(layout: Layout, styles: Styles, path: Path) -> list[Block]:
    blocks: list[Block] = [Heading("Memory and time", 3), cost_table(layout)]
    written = plot_costs(layout, styles, path)
    if written is not None:
        caption = (
            f"Peak memory, planned (hollow) and measured {where_measured(layout)} (filled), and training time; a dot "
            "for each seed."
        )
        blocks.append(Picture(written, caption, f"{caption} The means are in the table above."))
    return blocks
