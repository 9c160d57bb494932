"""videogn study report: from the files of a study to its page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Write the report of a study from its finished cells; no network is run.

    It consists of report.md, report.html (one file with the figures inside) and figures/ in the study's folder.

    Attributes:
        folder: Folder of the study.
    """

    folder: str


def run(options: Options) -> int:
    """Write the report.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        ValueError: If no cell is finished.
    """
    write_and_print(options.folder)
    return 0


def write_and_print(folder: str | Path) -> None:
    """Write the report of a study, and print its tables and its place.

    Args:
        folder: Folder of the study.

    Raises:
        ValueError: If no cell is finished.
    """
    from videogn.report import markdown_tables, write_report
    from videogn.study import read_study

    study = read_study(folder)
    if not study.results:
        raise ValueError(f"no finished cell in {folder}: see videogn study status {folder}")
    page = write_report(study)
    print(f"{markdown_tables(study)}\nReport: {page} and {page.with_suffix('.md')}")
