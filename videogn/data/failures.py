"""The videos of one pass over a data set that could not be decoded, and how many of them may be."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videogn.system.files import displayable, write_text

#: The list of failed videos, in the log folder.
FILE_NAME = "failures.csv"


class Failures:
    """Counts each failed video once an epoch, and tells which of them nobody has named yet.

    Args:
        kind: of the videos: "training", for messages.
        expected: videos of an epoch.
        max_failures: the part of them that may fail; unless it is 0, one may in any case.
    """

    def __init__(self, kind: str, expected: int, max_failures: float) -> None:
        self.kind = kind
        self.expected = expected
        # Rounded first: 0.29 * 100 is a little less than 29.
        self.limit = max(int(round(max_failures * expected, 6)), 1) if max_failures else 0
        self.reasons: dict[str, str] = {}
        self._named: set[str] = set()

    def start_epoch(self) -> None:
        """Begin to count anew; what was named stays named."""
        self.reasons = {}

    def add(self, reasons: Mapping[str, str]) -> dict[str, str]:
        """Count failed videos.

        Args:
            reasons: path -> why.

        Returns:
            Those that have not been returned before, in any epoch.
        """
        self.reasons |= reasons
        new = {path: reason for path, reason in reasons.items() if path not in self._named}
        self._named |= new.keys()
        return new

    @property
    def over_budget(self) -> bool:
        """Whether more videos failed in this epoch than may."""
        return len(self.reasons) > self.limit

    def message(self) -> str:
        """One line: how many failed, how many may, and what to do."""
        return (
            f"{len(self.reasons)} of {self.expected} {self.kind} videos cannot be decoded, at most {self.limit} may: "
            "find them beforehand with `videogn data index`, or raise --data.max_failures"
        )

    def write(self, folder: str | Path) -> Path:
        """Write them to `failures.csv` in a folder: path and reason.

        Returns:
            The file.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["path", "reason"])
        writer.writerows([displayable(path), reason] for path, reason in self.reasons.items())
        write_text(Path(folder) / FILE_NAME, text.getvalue())
        return Path(folder) / FILE_NAME

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know: it goes on in the same epoch and names nothing twice."""
        return {"reasons": self.reasons, "named": sorted(self._named)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.reasons = dict(state["reasons"])
        self._named = set(state["named"])
