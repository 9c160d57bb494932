"""videogn study report: from the files of a study to its page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from videogn.choices import TableFormatName
from videogn.system.displayable import one_line


@dataclass(frozen=True)
class Options:
    """Write the report of a study from its finished cells; no network is run.

    It consists of report.md, report.html (one file with the figures inside) and figures/ in the study's folder.

    Attributes:
        folder: Folder of the study.
        tables: Formats, csv and latex, in which every table becomes a file in tables/ too.
    """

    folder: str
    tables: tuple[TableFormatName, ...] = field(default=(), kw_only=True)


def run(options: Options) -> int:
    """Write the report.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        ValueError: If no cell is finished.
    """
    write_and_print(options.folder, options.tables)
    return 0


def write_and_print(folder: str | Path, table_formats: Sequence[str] = ()) -> None:
    """Write the report of a study, and print its tables and its place.

    Args:
        folder: Folder of the study.
        table_formats: Formats in which every table becomes a file too.

    Raises:
        ValueError: If no cell is finished.
    """
    from videogn.report import markdown_tables, write_report
    from videogn.study import read_study

    study = read_study(folder)
    if not study.results:
        raise ValueError(f"no finished cell in {folder}: see videogn study status {folder}")
    page = write_report(study, table_formats)
    print(markdown_tables(study))
    print(one_line(f"Report: {page} and {page.with_suffix('.md')}"))
