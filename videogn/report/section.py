"""The part of the page about one section of a study: the cells of one budget as tables, figures and sentences.

Each function of `PARTS` turns a section's results into blocks; a new part is one function and one line there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from videogn.report import paper
from videogn.report.clip_counts import ClipFiles
from videogn.report.cost import cost_table, plot_costs, where_measured
from videogn.report.curves import plot_validation_errors
from videogn.report.differences import (
    BETWEEN_NORMS,
    EXPLANATION,
    LONGER_CLIPS,
    SMALLER_BATCHES,
    Differences,
    difference_table,
    differences,
    mcnemar_table,
)
from videogn.report.document_blocks import Block, Bullets, Heading, Paragraph, Picture
from videogn.report.figures import plot_batch_sizes, plot_clip_numbers, plot_groups
from videogn.report.layout import Layout
from videogn.report.number_format import listing
from videogn.report.style import Styles
from videogn.report.summary import summarise
from videogn.report.tables import accuracy_table, group_tables, grouped_norms


@dataclass(frozen=True)
class Material:
    """Everything that the parts are made from.

    Attributes:
        layout: Cells of the section as a table, with their results.
        differences: Paired differences of the section.
        styles: Norm -> keywords of its lines, the same in all figures of a report.
        files: Clip files of the study.
        figure: Name of a figure -> its file.
        leads: Whether it is the first section, whose summary stands at the top of the page.
    """

    layout: Layout
    differences: Differences
    styles: Styles
    files: ClipFiles
    figure: Callable[[str], Path]
    leads: bool

    @staticmethod
    def of(layout: Layout, styles: Styles, files: ClipFiles, folder: Path, number: int) -> Material:
        """Compute the material of the section with a number, from 1; its figures lie in `folder`."""
        suffix = "" if number == 1 else f"_{number}"
        found = differences(layout, files)
        return Material(layout, found, styles, files, lambda name: folder / f"{name}{suffix}.png", number == 1)

    @property
    def summary(self) -> Bullets:
        """The section in sentences."""
        return Bullets(summarise(self.layout, self.differences))


def section_blocks(material: Material) -> list[Block]:
    """Write everything about a section; its figures are written to files.

    Args:
        material: Results of the section.

    Returns:
        The blocks.
    """
    layout = material.layout
    sources = [layout.weights(start) for start in layout.starts]
    starts = "" if sources == ["random"] else f"Initial weights: {listing(sources)}."
    blocks: list[Block] = [Heading(layout.section.title)]
    blocks += [Paragraph(text) for text in (layout.section.note, starts) if text]
    if not layout.finished:
        return [*blocks, accuracy_table(layout)]
    blocks += [] if material.leads else [material.summary]
    return [*blocks, *(block for part in PARTS for block in part(material))]


def _accuracy(material: Material) -> list[Block]:
    layout = material.layout
    spread = "One seed: no bars, since the spread is not known. "
    if len(layout.seeds) > 1:
        spread = "Bars: 95 % interval over seeds; small dots: seeds. "
    caption = (
        f"Top-1 accuracy against batch size. {spread}Points at one batch size stand a little apart so that they do not "
        "cover one another; the vertical axis does not begin at 0. Last panel: the paper's Table 2 (ResNet-50 on "
        "ImageNet, validation error, its axis upside down so that up is better in every panel), not measured here; it "
        "shares the colours, and neither the task nor the scale."
    )
    alt = (
        f"Accuracy of {listing(layout.labels.values())} against batch size, a panel for each clip length; "
        "the numbers are in the table above. Beside it the paper's ImageNet error, in the paper's Table 2 below."
    )
    picture = plot_batch_sizes(layout, material.styles, material.figure("batch_size"))
    return [Heading("Accuracy", 3), accuracy_table(layout), *_figure(picture, caption, alt)]


def _groups(material: Material) -> list[Block]:
    layout = material.layout
    blocks: list[Block] = []
    pictures = plot_groups(layout, material.figure("groups"))
    for picture, table, (name, option, _) in zip(pictures, group_tables(layout), grouped_norms(layout), strict=True):
        readable = option.replace("_", " ")
        caption = f"Top-1 accuracy of {name.upper()} against {readable}. The vertical axis does not begin at 0."
        alt = f"{caption} The numbers are in the table before it."
        blocks += [Heading(f"{name.upper()}: {readable}", 3), table, Picture(picture, caption, alt)]
        blocks += [paper.table_3(option)] if name == "gn" else []
    return blocks


def _differences(material: Material) -> list[Block]:
    layout, found = material.layout, material.differences
    if not found.all:
        return []
    blocks: list[Block] = [Heading("Paired differences", 3), Paragraph(EXPLANATION)]
    if any(one.contrast.over_videos is None for one in found.all):
        blocks.append(
            Paragraph("A dash: a cell's clip file is missing, or the cells were not tested on the same videos.")
        )
    if found.norms:
        blocks += [Heading("Between norms", 4), difference_table(layout, found.norms, BETWEEN_NORMS)]
        tests = mcnemar_table(layout, found.norms)
        blocks += [] if tests is None else [tests]
    if found.batches:
        title = Heading("From large batches to small", 4)
        blocks += [title, difference_table(layout, found.batches, SMALLER_BATCHES)]
    if found.clips:
        blocks += [Heading("Longer clips", 4), difference_table(layout, found.clips, LONGER_CLIPS)]
    return blocks


def _curves(material: Material) -> list[Block]:
    layout = material.layout
    seeds = "Mean over seeds; light lines are the seeds. " if len(layout.seeds) > 1 else ""
    caption = (
        f"Validation error of one clip a video during training, as in the paper's Figure 7. {seeds}Where there are "
        "many validations, markers stand at some of them only."
    )
    alt = f"Validation error during training, panels for {listing(layout.labels.values())}."
    picture = plot_validation_errors(layout, material.figure("validation_error"))
    return _figure(picture, caption, alt, "During training")


def _clip_numbers(material: Material) -> list[Block]:
    layout = material.layout
    starts = {result.test["protocol"]["starts"] for result in layout.finished}
    same = (
        "With this study's protocol they are the very clips of an n-clip test where n divides V. "
        if starts <= {"nonlocal", "slowfast"}
        else "They are not the clips that an n-clip test would take. "
    )
    seeds = "Mean over seeds; light lines are the seeds. " if len(layout.seeds) > 1 else ""
    caption = (
        "Top-1 accuracy with fewer test clips, from the saved probabilities of each clip: for n of V clips, the clips "
        f"floor(j V / n), j = 0 .. n-1, spread evenly, averaged. {same}{seeds}The vertical axis does not begin at 0."
    )
    alt = "Accuracy against the number of test clips, a panel for each setting."
    picture = plot_clip_numbers(layout, material.styles, material.files, material.figure("test_clips"))
    return _figure(picture, caption, alt, "Number of test clips")


def _costs(material: Material) -> list[Block]:
    layout = material.layout
    caption = (
        f"Peak memory, planned (hollow) and measured {where_measured(layout)} (filled), and training time; a dot "
        "for each seed."
    )
    picture = plot_costs(layout, material.styles, material.figure("cost"))
    figure = _figure(picture, caption, f"{caption} The means are in the table above.")
    return [Heading("Memory and time", 3), cost_table(layout), *figure]


def _figure(path: Path | None, caption: str, alt: str, title: str | None = None) -> list[Block]:
    """A figure below its title; nothing where there was nothing to draw."""
    if path is None:
        return []
    return [*([] if title is None else [Heading(title, 3)]), Picture(path, caption, alt)]


#: Parts of a section in the order of the page.
PARTS: tuple[Callable[[Material], list[Block]], ...] = (
    _accuracy,
    _groups,
    _differences,
    _curves,
    _clip_numbers,
    _costs,
)
