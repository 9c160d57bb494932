"""The page of a test, written at its end."""

from __future__ import annotations

import logging
from pathlib import Path

_log = logging.getLogger(__name__)

#: Seconds for pictures of videos: `videogn report` takes more.
_SECONDS = 15.0


def write_page(folder: Path) -> None:
    """Write the page beside the results and say where it is. The results are there: nothing that fails here matters.

    Args:
        folder: Folder of the results.
    """
    try:
        from videogn.report.of_test import Extent, write_test_report  # imports matplotlib

        page = write_test_report(folder, Extent(seconds=_SECONDS))
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        _log.warning("no page of the test could be written: %s; `videogn report %s` tries again", reason, folder)
    else:
        _log.info("page of the test: %s", page)
