"""videogn study report: from files to a page."""

from __future__ import annotations

from typing import Any

from videogn.cli.parsing import Parser


def parser() -> Parser:
    """Its arguments."""
    parser = Parser(
        prog="videogn study report",
        description="Write report.md, report.html (one file, figures inside) and figures/ into a study's folder, from "
        "what is finished in it; no network is run.",
    )
    parser.add_argument("folder", type=str, help="Folder of the study.")
    return parser


def run(options: Any) -> int:
    """Write it.

    Args:
        options: of the parser.

    Returns:
        0.
    """
    from videogn.report import markdown_tables, write_report
    from videogn.study import read_study

    study = read_study(options.folder)
    if not study.results:
        raise ValueError(f"no finished cell in {options.folder}: see videogn study status {options.folder}")
    page = write_report(study)
    print(f"{markdown_tables(study)}\nReport: {page} and {page.with_suffix('.md')}")  # noqa: T201
    return 0
