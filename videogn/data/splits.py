"""Sources of the train, val and test videos of a data set, with one order of classes for all of them."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from videogn.checks import existing_path
from videogn.data.layouts import SPLIT_NAMES
from videogn.data.parquet_index import SUFFIX as PARQUET_SUFFIX
from videogn.data.parquet_index import parquet_splits
from videogn.data.sources import read_index
from videogn.data.video_index import VideoIndex, split_index
from videogn.video.storage import is_url

_log = logging.getLogger(__name__)

#: Name of the index in the folder of a data set; `videogn data resize` writes it too.
_INDEX = "index.parquet"


def find_splits(root: str | Path) -> dict[str, Path]:
    """Find the sources of "train", "val" (or "validate", "validation", "valid") and "test" of a data set.

    Args:
        root: Folder of the data set. `train.csv` precedes `train.txt`, then the folder `train`, then the shards
            `train-*.tar` or `train.tar`. Or a Parquet index, which is the source of every split in it.

    Returns:
        Split -> source for `read_index`, for the splits that exist.

    Raises:
        FileNotFoundError: If `root` does not exist.
    """
    root = existing_path(root)
    if _is_parquet(root):
        return {split: root for split in parquet_splits(root) if split in SPLIT_NAMES}
    found: dict[str, Path] = {}
    for split, names in SPLIT_NAMES.items():
        for source in (root / (name + suffix) for suffix in (".csv", ".txt", "") for name in names):
            if source.is_file() if source.suffix else source.is_dir():
                found.setdefault(split, source)
        for name in names:
            for pattern in (f"{name}-*.tar", f"{name}.tar"):
                if any(path.is_file() for path in root.glob(pattern)):
                    found.setdefault(split, Path(glob.escape(str(root)), pattern))
    return found


def read_splits(
    root: str | None,
    sources: Mapping[str, str | None],
    *,
    val_fraction: float,
    class_names: Sequence[str] | None,
    seed: int,
    use_truncated: bool = False,
) -> dict[str, VideoIndex]:
    """Read the index of every split of a data set.

    Args:
        root: Folder of the data set, or a Parquet index of it. Splits without an entry in `sources` are searched in it,
            in `index.parquet` first. Videos without splits are divided at random, class by class.
        sources: Split -> source for `read_index`, or None.
        val_fraction: Fraction of each class held out for val if `root` has to be divided.
        class_names: Order of the classes, for instance that of a checkpoint. Default: that of the training split.
        seed: Seed of the division.
        use_truncated: Whether to use videos of a Parquet index whose end is missing. Default: False.

    Returns:
        Split -> index. "test" is the val split if there is no other.

    Raises:
        FileNotFoundError: If a source does not exist.
        ValueError: If no source is given, or a source is wrong.
    """
    given = {split: source for split, source in sources.items() if source is not None}
    if root is None and not given:
        raise ValueError("no videos given: set --data.root (or --data.train, --data.val, --data.test)")
    place, source = _place(root)
    if source is not None:
        given = {**{split: str(found) for split, found in find_splits(source).items()}, **given}
    options: dict[str, Any] = {"root": place, "use_truncated": use_truncated}
    if given:
        splits: dict[str, VideoIndex] = {}
        for split in sorted(given, key=["train", "val", "test"].index):  # the training split names the classes
            part = _split_in(given[split], split)
            splits[split] = read_index(given[split], classes=class_names, split=part, **options)
            class_names = class_names or splits[split].classes
    else:
        assert source is not None
        train, val = split_index(read_index(source, classes=class_names, **options), val_fraction, seed)
        splits = {"train": train, "val": val}
        _log.info("%s is divided: %d videos for training, %d held out", root, len(train), len(val))
    if "val" in splits:
        splits.setdefault("test", splits["val"])
    return splits


def _place(root: str | None) -> tuple[str | None, str | None]:
    """Place of a data set, and the source of its splits."""
    if root is None:
        return None, None
    if _is_parquet(root):
        return None, root  # it has the place of its videos
    if is_url(root):
        raise ValueError(f"root must be a folder or a Parquet index, got {root}; give shards there as train and val")
    index = existing_path(root) / _INDEX
    if not index.is_file():
        return root, root
    _log.info("%s is used for %s", index, root)
    return root, str(index)


def _split_in(source: str, split: str) -> str | None:
    """The split to take from a source. A Parquet index of one other split, or of none, is taken as a whole."""
    if not _is_parquet(source):
        return None
    splits = parquet_splits(existing_path(source))
    return split if split in splits or len(splits) > 1 else None


def _is_parquet(source: str | Path) -> bool:
    return Path(source).suffix.lower() == PARQUET_SUFFIX and not os.path.isdir(source)
