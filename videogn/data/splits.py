"""Sources of the train, val and test videos of a data set, with one order of classes for all of them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from videogn.checks import expanded
from videogn.data.data_layout import UNDIVIDED, Layout, find_layout, part_of_index
from videogn.data.layouts import SPLIT_NAMES
from videogn.data.records import Records
from videogn.data.sources import read_index
from videogn.data.video_files import walk_videos
from videogn.data.video_index import VideoIndex, split_index
from videogn.video.storage import is_url

_log = logging.getLogger(__name__)


def read_splits(
    root: str | None,
    sources: Mapping[str, str | None],
    *,
    val_fraction: float,
    class_names: Sequence[str] | None,
    seed: int,
    use_truncated: bool = False,
    columns: Mapping[str, str] | None = None,
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
        columns: Role -> name of a column of the lists; see `videogn.data.lists.columns`. Default: as the lists say.

    Returns:
        Split -> index. "test" is the val split if there is no other.

    Raises:
        FileNotFoundError: If a source does not exist.
        ValueError: If no source is given, or a source is wrong.
    """
    given = {split: source for split, source in sources.items() if source is not None}
    if root is None and not given:
        raise ValueError("no videos given: set --data.root (or --data.train, --data.val, --data.test)")
    layout = None if root is None else _layout_of(root)
    if layout is not None:
        given = {**layout.splits, **given}
    options: dict[str, Any] = {"root": layout and layout.root, "use_truncated": use_truncated, "columns": columns}
    if given:
        splits = _read_given(given, class_names, options)
    else:
        assert layout is not None
        train, val = split_index(
            read_index(layout.sources[UNDIVIDED], classes=class_names, **options), val_fraction, seed
        )
        splits = {"train": train, "val": replace(val, left_out={})}
        _log.info("%s is divided: %d videos for training, %d held out", root, len(train), len(val))
    if "val" in splits:
        splits.setdefault("test", splits["val"])
    return splits


def source_of_test(
    splits: Mapping[str, VideoIndex], root: str | None, sources: Mapping[str, str | None], read: dict[str, Any]
) -> dict[str, Any]:
    """Say for the results where the test videos come from: they may be the validation videos, or a part held out.

    Args:
        splits: Return value of `read_splits`.
        root: Folder of the data set.
        sources: Sources of "val" and "test" outside `root`, or None.
        read: How they were read.

    Returns:
        The split, the root, the source outside it, and how they were read.
    """
    split = "val" if splits.get("test") is splits.get("val") else "test"
    return {"split": split, "root": root, "given": sources[split], "read": read}


def read_sources(
    layout: Layout, root: str | Path | None = None, columns: Mapping[str, str] | None = None
) -> dict[str, VideoIndex]:
    """Read every source of a layout for what it is: each has the classes that occur in it.

    Args:
        layout: Layout of a data set.
        root: Folder of the videos that a CSV or list names. Default: that of the layout, else of the file.
        columns: Role -> name of a column of the lists. Default: as the lists say.

    Returns:
        Split -> index; `UNDIVIDED` -> index for a data set without splits. Loose videos have no class.

    Raises:
        FileNotFoundError: If `root` does not exist.
        ValueError: If a source is wrong.
    """
    if layout.kind == "loose":
        folder = layout.sources[UNDIVIDED]
        videos = sorted(walk_videos(folder))
        return {UNDIVIDED: VideoIndex(Records.of_columns(videos, [None] * len(videos)), (), folder)}
    root = layout.root if root is None else root
    options: dict[str, Any] = {"root": root, "columns": columns}
    splits: dict[str, VideoIndex] = {}
    aliases: Mapping[str, str] = {}
    for split, source in layout.sources.items():
        part = part_of_index(source, split)
        splits[split] = read_index(source, split=part, aliases=aliases, **options)
        aliases = aliases or splits[split].aliases
    return splits


def _read_given(
    given: Mapping[str, str], class_names: Sequence[str] | None, options: Mapping[str, Any]
) -> dict[str, VideoIndex]:
    """Read the sources by split; without class names, those of the training split count for all."""
    splits: dict[str, VideoIndex] = {}
    aliases: Mapping[str, str] = {}
    for split in sorted(given, key=[*SPLIT_NAMES].index):  # the training split names the classes
        part = part_of_index(given[split], split)
        splits[split] = read_index(given[split], classes=class_names, split=part, aliases=aliases, **options)
        class_names = class_names or splits[split].classes
        aliases = aliases or splits[split].aliases
    return splits


def _layout_of(root: str) -> Layout:
    """The layout of what is given as root."""
    if is_url(root):
        raise ValueError(f"root must be a folder or a Parquet index, got {root}; give shards there as train and val")
    layout = find_layout(root)
    if layout.kind == "index" and expanded(root).is_dir():
        _log.info("%s is used for %s", next(iter(layout.sources.values())), root)
    return layout
