"""Result files -> tables and figures. Nothing here needs torch."""

from videogn.report.figures import plot_validation_error
from videogn.report.tables import markdown_table, write_report

__all__ = ["markdown_table", "plot_validation_error", "write_report"]
