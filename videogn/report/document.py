"""The report of a study: its parts in the order of the page, and the files they become."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from videogn.report import paper
from videogn.report.appendix import appendix_blocks
from videogn.report.clip_counts import ClipFiles
from videogn.report.document_blocks import Block, Heading, Paragraph, Picture
from videogn.report.front import front_blocks
from videogn.report.frontier import plot_frontier
from videogn.report.image_words import of_images
from videogn.report.layout import Layout
from videogn.report.markdown import markdown_table, render_markdown
from videogn.report.material import Material, example_of
from videogn.report.page import render_page
from videogn.report.provenance import cell_blocks, method_blocks
from videogn.report.style import Styles, norm_styles
from videogn.report.table_formats import write_tables
from videogn.report.tables import accuracy_table
from videogn.report.transfer import transfer_blocks
from videogn.study.cell import norm_labels
from videogn.study.cell_files import check_complete
from videogn.study.study_files import Study
from videogn.system.displayable import one_line
from videogn.system.files import write_text
from videogn.system.sizes import format_size

FIGURES_FOLDER = "figures"
TABLES_FOLDER = "tables"
_LEFT_OUT = "Where a setting has the same cells under two budgets, its rows stand in the tables of the first only."


def write_report(study: Study, table_formats: Sequence[str] = ()) -> Path:
    """Write report.md, report.html and figures/*.png into the study's folder, whether it is finished or not.

    Args:
        study: Study, as `videogn.study.read_study` reads it.
        table_formats: Formats, of `videogn.report.table_formats`, in which every table becomes a file in tables/ too.

    Returns:
        Path of report.html.

    Raises:
        ValueError: A cell's clip file is damaged.
    """
    check_complete(study.results.values())
    blocks = report_blocks(study)
    write_text(study.folder / "report.md", render_markdown(blocks, study.folder))
    write_text(study.folder / "report.html", render_page(blocks))
    write_tables(blocks, study.folder / TABLES_FOLDER, table_formats)
    return study.folder / "report.html"


def markdown_tables(study: Study) -> str:
    """Tabulate accuracies as in the paper's Table 8, in Markdown.

    Args:
        study: Study, finished or not.

    Returns:
        Title, table and caption of each section.
    """
    parts = []
    for layout in Layout.of_study(study):
        table = accuracy_table(layout)
        parts.append(f"{one_line(layout.section.title)}\n\n{markdown_table(table)}\n{table.caption}\n")
    return "\n".join(parts)


def report_blocks(study: Study) -> list[Block]:
    """Compose the report before it is Markdown or HTML; its figures are written to files.

    Args:
        study: Study, finished or not.

    Returns:
        The blocks, the first of which is the title.
    """
    folder = study.folder / FIGURES_FOLDER
    files = ClipFiles()
    layouts = Layout.of_study(study)
    styles = norm_styles([norm for layout in layouts for norm in layout.norms])
    materials = [Material.of(layout, styles, files, folder, number) for number, layout in enumerate(layouts, 1)]
    blocks = [
        Heading(study.title, 1),
        *front_blocks(materials),
        *transfer_blocks(materials),
        Heading("Appendix"),
        *([Paragraph(_LEFT_OUT)] if any(layout.new_rows != layout.rows for layout in layouts) else []),
        *appendix_blocks(materials),
        *_frontier(study, styles, folder / "frontier.png"),
        *_paper(study),
        *cell_blocks(study),
        *method_blocks(study, files),
        Paragraph("Made from the files of the study alone."),
    ]
    return of_images(blocks) if example_of(materials) == "image" else blocks


def _frontier(study: Study, styles: Styles, path: Path) -> list[Block]:
    rows = [row for row in study.plan if row.get("largest_batch") is not None]
    if study.memory is None or len({row["clip_length"] for row in rows}) < 2:
        return []
    colours = {label: styles[norm]["color"] for norm, label in norm_labels(styles).items()}
    written = plot_frontier(rows, study.memory, path, colours)
    caption = (
        f"The largest batch whose planned training step fits in {format_size(study.memory)}, against clip length. "
        "Planned from the shapes of tensors, not measured. Lines that coincide are drawn once, in grey where they are "
        "of several norms."
    )
    return [Heading("What fits in equal memory", 3), Picture(written, caption, "Largest batch against clip length.")]


def _paper(study: Study) -> list[Block]:
    names = {cell.norm.name for cell in study.cells}
    videos = any(cell.clip_length > 1 for cell in study.cells)
    tables = [*([paper.table_8()] if videos else []), paper.table_2()]
    blocks: list[Block] = [Heading("The paper's numbers (not measured here)", 3), *tables]
    return [*blocks, *([paper.table_1()] if len(names & paper.TABLE_1.keys()) >= 3 else [])]
