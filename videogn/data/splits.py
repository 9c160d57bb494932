"""Where a data set's train, val and test videos come from, and one order of classes for all of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace

from videogn.data.index import VideoIndex, find_splits, read_index, split_index

_log = logging.getLogger(__name__)


def read_splits(
    root: str | None,
    sources: Mapping[str, str | None],
    *,
    val_fraction: float,
    class_names: Sequence[str] | None,
    seed: int,
) -> dict[str, VideoIndex]:
    """Read the index of every split that there is.

    Args:
        root: the data set's folder. Splits that `sources` does not name are looked for in it; a folder that holds class
            folders and no splits is divided at random, class by class.
        sources: split -> class folders, Kinetics CSV or list; None where it is not given.
        val_fraction: the part of each class held out for val where `root` has to be divided.
        class_names: fixes the order of the classes, as a checkpoint does. By default the training split's order.
        seed: of the division.

    Returns:
        Split -> index; "test" is the val split where there is no other.

    Raises:
        FileNotFoundError: a source does not exist.
        ValueError: nothing is given, or a source is wrong.
    """
    given = {split: source for split, source in sources.items() if source is not None}
    if root is None and not given:
        raise ValueError("no videos given: set --data.root (or --data.train, --data.val, --data.test)")
    if root is not None:
        given = {**{split: str(source) for split, source in find_splits(root).items()}, **given}
    if given:
        splits: dict[str, VideoIndex] = {}
        for split in sorted(given, key=["train", "val", "test"].index):  # the training split names the classes
            splits[split] = read_index(given[split], root=root, classes=class_names)
            class_names = class_names or splits[split].classes
    else:
        assert root is not None
        train, val = split_index(read_index(root, classes=class_names), val_fraction, seed)
        splits = {"train": train, "val": val}
        _log.info("%s is divided: %d videos for training, %d held out", root, len(train), len(val))
    if "val" in splits:
        splits.setdefault("test", splits["val"])
    return splits


def without_missing(index: VideoIndex, split: str) -> VideoIndex:
    """Leave out the videos that are not on disk, saying how many; for training only, a test counts them.

    Args:
        index: of the split.
        split: its name, for the message.

    Returns:
        The index of the videos that exist.

    Raises:
        ValueError: none exists.
    """
    missing = {record.path for record in index.missing()}
    if not missing:
        return index
    kept = tuple(record for record in index.records if record.path not in missing)
    example = min(missing)
    if not kept:
        raise ValueError(f"none of the {len(index)} {split} videos exists, for instance {example}; is root right?")
    _log.warning("%s: %d of %d videos are missing, for instance %s", split, len(missing), len(index), example)
    return replace(index, records=kept)
