"""The files of a study -> tables, figures and one page that needs nothing else. Nothing here needs torch."""

from videogn.report.document import markdown_tables, write_report

__all__ = ["markdown_tables", "write_report"]
