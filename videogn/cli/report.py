"""videogn report: from the files of a test to its page."""

from __future__ import annotations

from dataclasses import dataclass

from videogn.checks import require_at_least
from videogn.system.displayable import one_line


@dataclass(frozen=True)
class Options:
    """Write the page of a test from its files; no network is run.

    It consists of report.md, report.html (one file with the figures inside) and figures/ in the folder. `videogn test`
    writes it at its end, but not for the cells of a study: STUDY/cells/* names them all. The page of a study itself is
    written by `videogn study report`.

    Attributes:
        folders (DIR): Folders with the results.json of `videogn test`.
        index (FILE.parquet): Index of the videos, for accuracy by length, size, codec and source; by default the one
            that they were tested with, if there was one.
        root: Present folder of the data set, if it has moved since the test.
        videos: Number of the most confidently wrong and of the least certain videos that are shown.
    """

    folders: tuple[str, ...]
    index: str | None = None
    root: str | None = None
    videos: int = 12


def run(options: Options) -> int:
    """Write the pages and print their places.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        FileNotFoundError: A file does not exist.
        ValueError: A file is damaged, or a number out of range.
    """
    from videogn.report.of_test import Extent, write_test_report

    require_at_least("--videos", options.videos, 0)
    for folder in options.folders:
        page = write_test_report(folder, Extent(options.index, options.root, options.videos))
        print(one_line(f"Report: {page} and {page.with_suffix('.md')}"))
    return 0
