r"""Paths of lists that were written on Windows, with backslashes: "class\video.mp4"."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from videogn.data.layouts import Row

_log = logging.getLogger(__name__)

#: Number of rows that are looked up to decide what backslashes mean.
_LOOKED_UP = 100


def with_slashes(rows: Sequence[Row], root: str) -> list[Row]:
    """Read backslashes as slashes where files lie there. On Linux a name may hold a backslash, so the disk decides.

    Args:
        rows: Rows of a source.
        root: Folder that its relative paths refer to. Backslashes in it stay.

    Returns:
        The rows. Where neither spelling exists they stay as they are written.
    """
    if os.sep == "\\" or not any("\\" in row.path for row in rows):
        return list(rows)
    prefix = os.path.join(root, "")

    def slashed(path: str) -> str:
        inside = path.startswith(prefix)
        return prefix + path.removeprefix(prefix).replace("\\", "/") if inside else path.replace("\\", "/")

    written = [row for row in rows if "\\" in row.path.removeprefix(prefix)]
    for row in written[:: max(len(written) // _LOOKED_UP, 1)]:
        if os.path.exists(row.path):
            break
        if os.path.exists(slashed(row.path)):
            _log.warning(
                "%s: its paths have backslashes, as on Windows; they are read as slashes",
                row.where.partition(", line")[0],
            )
            return [row._replace(path=slashed(row.path)) for row in rows]
    return list(rows)


def backslash_hint(path: str) -> str:
    r"""Return a question for the end of a message about a missing file whose path looks written on Windows; else ""."""
    if os.sep == "\\" or "\\" not in path:
        return ""
    return "was the list written on Windows? Its backslashes separate no folders here: use /, and paths below the root"
