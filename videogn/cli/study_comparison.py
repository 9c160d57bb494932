"""videogn compare STUDY STUDY: what is printed of two studies."""

from __future__ import annotations

from pathlib import Path

from videogn.report.comparison.studies import compare_two
from videogn.report.comparison.study_document import (
    matching_words,
    moved_words,
    settings_table,
    write_study_comparison,
)
from videogn.study import read_study
from videogn.system.displayable import one_line


def compare_studies(first: Path, second: Path, out: Path | None) -> int:
    """Print how the settings and the results of two studies differ.

    Args:
        first: Folder of a study.
        second: Folder of the study that is compared with it.
        out: Folder for the page, or None.

    Returns:
        0.
    """
    from rich import box
    from rich.table import Column, Table

    from videogn.cli.plain_console import PlainConsole

    found = compare_two(read_study(first), read_study(second))
    content = settings_table(found)
    table = Table(
        Column(content.head[0], overflow="fold"),
        *(Column(title, justify="right") for title in content.head[1:]),
        box=box.SIMPLE,
        padding=(0, 1, 0, 0),
        show_edge=False,
    )
    for row in content.rows:
        table.add_row(*map(one_line, row))
    console = PlainConsole(120)
    for line in (f"A  {first}", f"B  {second}", *moved_words(found), *matching_words(found)):
        console.print(one_line(line), soft_wrap=True)
    console.print("", table, f"{found.measure} (%), 95 % intervals of B minus A", sep="\n")
    if out is not None:
        console.print(one_line(f"Page: {write_study_comparison(found, out)}"), soft_wrap=True)
    return 0
