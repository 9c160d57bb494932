"""The files of a study -> tables, figures and one page that needs nothing else. Nothing here needs torch.

A part of the page is a function from results to blocks (headings, paragraphs, tables, pictures: `document_blocks`):
about the budgets of the study, listed in `appendix.PARTS`; about the whole study, listed in `document.report_blocks`.
"""

from videogn.report.document import markdown_tables, write_report

__all__ = ["markdown_tables", "write_report"]
