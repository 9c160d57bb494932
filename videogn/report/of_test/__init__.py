"""The files of one test -> one page that needs nothing else. Nothing here needs torch.

A part of the page is a function from results to blocks, and a line of `writing._blocks`.
"""

from videogn.report.of_test.writing import Extent, write_test_report

__all__ = ["Extent", "write_test_report"]
