"""The rows of a source: path, label as written, and place where it was written. See `videogn.data.sources`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from videogn.axes import Segment

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "validate", "validation", "valid"),
    "test": ("test", "testing"),
}
LAYOUTS = "a folder of class folders, a Kinetics CSV, a text file of 'path label' lines, a Parquet index or tar shards"


#: Letters of the longest line of a list. The longest lines known, of Charades, have some 3,000.
_LONGEST_LINE = 100_000


class Row(NamedTuple):
    """One video as a source lists it.

    Attributes:
        path: Path of the file.
        label: Label as written, or None.
        where: Place where it is written, for error messages.
        error: Reason why it cannot be used, or None.
        segment: Part of the video that is the example, or None for all of it.
        split: Split as written, or None.
        frames: Number of frames that count, or None for all.
        labels: Labels as written, of a source where a video may have several or none; else None.
    """

    path: str
    label: str | None
    where: str
    error: str | None = None
    segment: Segment | None = None
    split: str | None = None
    frames: int | None = None
    labels: tuple[str, ...] | None = None

    @property
    def all_labels(self) -> tuple[str, ...]:
        """The labels, however many a video may have."""
        if self.labels is not None:
            return self.labels
        return () if self.label is None else (self.label,)


def split_name(alias: str) -> str:
    """Return the usual name of a split: "val" for "validation"; an unknown name stays as it is."""
    return next((split for split, aliases in SPLIT_NAMES.items() if alias in aliases), alias)


def read_text(path: Path) -> str:
    """Read a text file.

    Raises:
        ValueError: If it is not UTF-8, or has a NUL byte or a line that no list has; JSON may be one long line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text: save it as UTF-8 if it is a list; expected {LAYOUTS}") from None
    if (place := text.find("\0")) >= 0:
        number = 1 + text.count("\n", 0, place)
        raise ValueError(f"{path}, line {number}: a NUL byte is in no list; expected {LAYOUTS}")
    if path.suffix.lower() != ".json":
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > _LONGEST_LINE:
                raise ValueError(f"{path}, line {number}: {len(line):,} letters; a line of a list is about one video")
    return text
