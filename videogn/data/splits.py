"""Where a data set's train, val and test videos come from, and one order of classes for all of them."""

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

#: A data set's folder with this file in it has been indexed, or was written by `videogn data resize`.
_INDEX = "index.parquet"


def find_splits(root: str | Path) -> dict[str, Path]:
    """Find the sources of "train", "val" (or "validate", "validation", "valid") and "test" of a data set.

    Args:
        root: its folder. `train.csv` is taken before `train.txt`, that before the folder `train`, and that before the
            shards `train-*.tar` or `train.tar`. Or a Parquet index: it is the source of every split that it has.

    Returns:
        Split -> source to give to `read_index`, for those that exist.

    Raises:
        FileNotFoundError: `root` does not exist.
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
    """Read the index of every split that there is.

    Args:
        root: the data set's folder, or a Parquet index of it. Splits that `sources` does not name are looked for in it,
            in `index.parquet` first. What holds videos and no splits is divided at random, class by class.
        sources: split -> whatever `read_index` reads; None where it is not given.
        val_fraction: the part of each class held out for val where `root` has to be divided.
        class_names: fixes the order of the classes, as a checkpoint does. By default the training split's order.
        seed: of the division.
        use_truncated: see `read_index`.

    Returns:
        Split -> index; "test" is the val split where there is no other.

    Raises:
        FileNotFoundError: a source does not exist.
        ValueError: nothing is given, or a source is wrong.
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
    """Where a data set lies, and the source in which to look for its splits."""
    if root is None:
        return None, None
    if _is_parquet(root):
        return None, root  # it says itself where its videos lie
    if is_url(root):
        raise ValueError(f"root must be a folder or a Parquet index, got {root}; give shards there as train and val")
    index = existing_path(root) / _INDEX
    if not index.is_file():
        return root, root
    _log.info("%s is used for %s", index, root)
    return root, str(index)


def _split_in(source: str, split: str) -> str | None:
    """The split to ask a source for: a Parquet index of one other split, or of none, is taken as a whole."""
    if not _is_parquet(source):
        return None
    splits = parquet_splits(existing_path(source))
    return split if split in splits or len(splits) > 1 else None


def _is_parquet(source: str | Path) -> bool:
    return Path(source).suffix.lower() == PARQUET_SUFFIX and not os.path.isdir(source)
