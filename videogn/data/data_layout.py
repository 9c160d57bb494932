"""What a folder, an index or another source holds: one decision for training, `data show` and `data index`."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from videogn.checks import existing_path, expanded_text
from videogn.data.class_folders import is_loose
from videogn.data.layouts import SPLIT_NAMES
from videogn.data.lists.list_sources import official_splits
from videogn.data.parquet_index import SUFFIX as PARQUET_SUFFIX
from videogn.data.parquet_index import came_along, parquet_splits
from videogn.data.shards import is_shards

#: Name of the index in the folder of a data set; `videogn data resize` writes it too.
INDEX = "index.parquet"
#: Key of the one source of a data set without splits.
UNDIVIDED = ""


class Layout(NamedTuple):
    """The sources of a data set.

    Attributes:
        kind: "index" (a Parquet index, or a folder with one in it), "splits" (a folder with a source for each split),
            "loose" (a folder of videos without classes) or "whole" (any other source for `read_index`).
        sources: Split -> source for `read_index`; of a data set without splits, `UNDIVIDED` -> source.
        root: Folder that the videos of the sources lie in; None where the sources know it.
    """

    kind: Literal["index", "splits", "loose", "whole"]
    sources: Mapping[str, str]
    root: str | None = None

    @property
    def splits(self) -> dict[str, str]:
        """The sources by split; empty for a data set without splits."""
        return {split: source for split, source in self.sources.items() if split != UNDIVIDED}


def find_layout(source: str | Path, *, anew: bool = False) -> Layout:
    """Decide what a source of videos is.

    Args:
        source: Folder or file; or a pattern or URL, which is always "whole".
        anew: Whether an index is to be made: one that lies in the folder then counts only if the folder has neither
            splits nor classes. Default: False.

    Returns:
        The layout. The order of precedence is that of its kinds.

    Raises:
        FileNotFoundError: If `source` does not exist.
    """
    text = expanded_text(source)
    if not os.path.isdir(text):
        if not is_shards(text):
            existing_path(text)
        return _of_index(text) if is_index(text) else Layout("whole", {UNDIVIDED: text})
    index = os.path.join(text, INDEX)
    indexed = os.path.isfile(index)
    if indexed and not anew:
        return _of_index(index, text)
    if splits := find_splits(text):
        return Layout("splits", {split: str(found) for split, found in splits.items()}, text)
    loose = is_loose(text)
    if indexed and (loose or not _has_folders(text)):
        return _of_index(index, text)
    return Layout("loose" if loose else "whole", {UNDIVIDED: text}, text)


def find_splits(root: str | Path) -> dict[str, Path]:
    """Find the sources of "train", "val" (or "validate", "validation", "valid") and "test" of a data set.

    Args:
        root: Folder of the data set. `train.csv` precedes `train.txt`, then the folder `train`, then the shards
            `train-*.tar` or `train.tar`; if there are none, two or more of these with capitals (`Train`, `Test`), then
            the official lists of a known data set. Or a Parquet index, which is the source of every split in it.

    Returns:
        Split -> source for `read_index`, for the splits that exist.

    Raises:
        FileNotFoundError: If `root` does not exist.
    """
    root = existing_path(root)
    if is_index(root):
        return {split: root for split in parquet_splits(root) if split in SPLIT_NAMES}
    names = os.listdir(root)
    found = _splits_among(root, {name: name for name in names})
    capital = {} if found else _splits_among(root, {name.lower(): name for name in names})
    if len(capital) > 1:  # "Train" alone may be a class
        return capital
    return found or official_splits(root)


def _splits_among(root: Path, written: Mapping[str, str]) -> dict[str, Path]:
    """Split -> source, for what has one of the usual names; `written` has the name on disk for each of these."""
    found: dict[str, Path] = {}
    for split, names in SPLIT_NAMES.items():
        usual = [name + suffix for suffix in (".csv", ".txt", "") for name in names]
        for source in (root / written[name] for name in usual if name in written):
            if source.is_file() if source.suffix else source.is_dir():
                found.setdefault(split, source)
        for name in names:
            for pattern in (f"{name}-*.tar", f"{name}.tar"):
                if any(path.is_file() for path in root.glob(pattern)):
                    found.setdefault(split, Path(glob.escape(str(root)), pattern))
    return found


def is_index(source: str | Path) -> bool:
    """Return whether a source is a Parquet file."""
    return Path(source).suffix.lower() == PARQUET_SUFFIX and not os.path.isdir(source)


def part_of_index(source: str, split: str) -> str | None:
    """Return the split to take from a source. An index of one other split, or of none, is taken as a whole: None."""
    if split == UNDIVIDED:
        return None
    if not is_index(source):
        return split  # a list that names the splits of its videos decides by itself
    splits = parquet_splits(existing_path(source))
    return split if split in splits or len(splits) > 1 else None


def _of_index(path: str, root: str | None = None) -> Layout:
    splits = dict.fromkeys(find_splits(path), path)
    moved = root is not None and came_along(Path(path), root)
    return Layout("index", splits or {UNDIVIDED: path}, root if moved else None)


def _has_folders(folder: str) -> bool:
    with os.scandir(folder) as entries:
        return any(entry.is_dir() and not entry.name.startswith(".") for entry in entries)
