"""The report of a study: its blocks, and the files they become."""

from __future__ import annotations

import functools
from pathlib import Path

from videogn.report.clip_counts import ClipFiles
from videogn.report.document_blocks import Block, Bullets, Heading, Paragraph, Picture
from videogn.report.figures import norm_styles
from videogn.report.frontier import plot_frontier
from videogn.report.layout import Layout
from videogn.report.markdown import markdown_table, render_markdown
from videogn.report.page import render_page
from videogn.report.paper import TABLE_1
from videogn.report.provenance import cell_blocks, method_blocks
from videogn.report.section import section_blocks
from videogn.report.summary import summarise
from videogn.report.tables import accuracy_table, paper_table_1, paper_table_2, paper_table_8
from videogn.study.study_files import Study
from videogn.system.files import write_text
from videogn.system.sizes import format_size

FIGURES_FOLDER = "figures"
_FROM_FILES = "Made from the files of the study alone."


def write_report(study: Study) -> Path:
    """Write report.md, report.html and figures/*.png into the study's folder, whether it is finished or not.

    Args:
        study: as `videogn.study.read_study` reads it.

    Returns:
        The path of report.html.

    Raises:
        ValueError: a cell's clip file is damaged.
    """
    blocks = report_blocks(study)
    write_text(study.folder / "report.md", render_markdown(blocks, study.folder))
    write_text(study.folder / "report.html", render_page(blocks))
    return study.folder / "report.html"


def markdown_tables(study: Study) -> str:
    """The tables shaped like the paper's Table 8, one for each section, in Markdown.

    Args:
        study: finished or not.

    Returns:
        Title, table and caption of each section.
    """
    parts = []
    for section in study.sections:
        table = accuracy_table(Layout(section, study.results))
        parts.append(f"{section.title}\n\n{markdown_table(table)}\n{table.caption}\n")
    return "\n".join(parts)


def report_blocks(study: Study) -> list[Block]:
    """The report before it is Markdown or HTML; writes the figures.

    Args:
        study: finished or not.

    Returns:
        The blocks, the first of which is the title.
    """
    folder = study.folder / FIGURES_FOLDER
    files = ClipFiles()
    layouts = [Layout(section, study.results) for section in study.sections]
    styles = norm_styles([norm for layout in layouts for norm in layout.norms])
    blocks: list[Block] = [Heading(study.title, 1), Heading("In short")]
    if layouts:
        lead = layouts[0]
        blocks += [Paragraph(f"{lead.section.title}:"), Bullets(summarise(lead, files))]
    for number, layout in enumerate(layouts, 1):
        figure_path = functools.partial(_figure_path, folder, number)
        blocks += section_blocks(layout, styles, files, figure_path, leads=number == 1)
    blocks += _frontier(study, folder / "frontier.png")
    blocks += _paper(study)
    return [*blocks, *cell_blocks(study), *method_blocks(study, files), Paragraph(_FROM_FILES)]


def _figure_path(folder: Path, number: int, name: str) -> Path:
    """Of a figure of the section `number`."""
    return folder / (f"{name}.png" if number == 1 else f"{name}_{number}.png")


def _frontier(study: Study, path: Path) -> list[Block]:
    rows = [row for row in study.plan if row.get("largest_batch") is not None]
    if not rows or study.memory is None:
        return []
    written = plot_frontier(rows, study.memory, path)
    caption = (
        f"The largest batch whose planned training step fits in {format_size(study.memory)}, against clip length. "
        "Planned from the shapes of tensors, not measured. Lines that coincide are drawn once, with all their names."
    )
    return [Heading("What fits in equal memory"), Picture(written, caption, "Largest batch against clip length.")]


def _paper(study: Study) -> list[Block]:
    names = {cell.norm.name for section in study.sections for cell in section.cells}
    blocks: list[Block] = [Heading("The paper's numbers (not measured here)"), paper_table_8(), paper_table_2()]
    return [*blocks, *([paper_table_1()] if len(names & TABLE_1.keys()) >= 3 else [])]
