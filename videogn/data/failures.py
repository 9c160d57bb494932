"""The videos of one pass over a data set that cannot be decoded, and the limit of their number."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videogn.system.displayable import displayable
from videogn.system.files import write_text

#: Name of the list of failed videos in the log folder.
FILE_NAME = "failures.csv"


class Failures:
    """Counts each failed video once per epoch, and finds those that have not been reported yet.

    Args:
        kind: Kind of the videos for messages, such as "training".
        expected: Number of videos in an epoch.
        max_failures: Fraction of them that may fail. Unless it is 0, one video always may.
    """

    def __init__(self, kind: str, expected: int, max_failures: float) -> None:
        self.kind = kind
        self.expected = expected
        # Rounded first: 0.29 * 100 is a little less than 29.
        self.limit = max(int(round(max_failures * expected, 6)), 1) if max_failures else 0
        self.reasons: dict[str, str] = {}
        self._named: set[str] = set()

    def start_epoch(self) -> None:
        """Reset the count. Reported videos stay reported."""
        self.reasons = {}

    def add(self, reasons: Mapping[str, str]) -> dict[str, str]:
        """Count failed videos.

        Args:
            reasons: Path -> reason.

        Returns:
            Those that were not returned before, in any epoch.
        """
        self.reasons |= reasons
        new = {path: reason for path, reason in reasons.items() if path not in self._named}
        self._named |= new.keys()
        return new

    @property
    def over_budget(self) -> bool:
        """Whether more videos failed in this epoch than allowed."""
        return len(self.reasons) > self.limit

    def message(self) -> str:
        """Return one line: number of failed videos, limit, and advice."""
        return (
            f"{len(self.reasons)} of {self.expected} {self.kind} videos cannot be decoded, at most {self.limit} may: "
            "find them beforehand with `videogn data index`, or raise --data.max_failures"
        )

    def write(self, folder: str | Path) -> Path:
        """Write path and reason of the failed videos to `failures.csv`.

        Args:
            folder: Folder to write to.

        Returns:
            Path of the file.
        """
        from videogn.system.spreadsheet_text import csv_writer, for_spreadsheet  # few runs write this file

        text = io.StringIO()
        writer = csv_writer(text)
        writer.writerow(["path", "reason"])
        writer.writerows(map(for_spreadsheet, (displayable(path), reason)) for path, reason in self.reasons.items())
        write_text(Path(folder) / FILE_NAME, text.getvalue())
        return Path(folder) / FILE_NAME

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a resumed training run, which continues the epoch and reports no video twice."""
        return {"reasons": self.reasons, "named": sorted(self._named)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state."""
        self.reasons = dict(state["reasons"])
        self._named = set(state["named"])
