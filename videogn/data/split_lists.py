"""A data set that nobody divided to lists of its training, validation and test videos; no video is moved."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy.sparse import csr_array

from videogn.checks import expanded
from videogn.data.data_layout import UNDIVIDED, Layout, find_layout, find_splits
from videogn.data.dividing import divide_groups
from videogn.data.file_hash import with_contents
from videogn.data.groups import joined_groups
from videogn.data.leaks import videos_of
from videogn.data.lists.list_sources import is_list
from videogn.data.lists.reading import split_column
from videogn.data.lists.writing import list_columns, roles_to_name, write_list
from videogn.data.records import Records
from videogn.data.sources import check_root
from videogn.data.splits import read_sources
from videogn.data.video_index import VideoIndex
from videogn.system.files import replacing
from videogn.system.sizes import counted

SPLITS = ("train", "val", "test")


def list_names(folder: Path) -> dict[str, Path]:
    """Return the file of each split's list in a folder."""
    return {split: folder / f"{split}.csv" for split in SPLITS}


def read_undivided(
    source: str, root: str | None = None, columns: Mapping[str, str] | None = None
) -> tuple[VideoIndex, str]:
    """Read the videos of a source that has no splits, or none but the lists of an earlier division of its folders.

    Args:
        source: Class folders, a list, an index or shards.
        root: Folder of the videos that a list names. Default: that of the list.
        columns: Role -> name of a column of a list.

    Returns:
        The videos, and the file or folder that they were read from.

    Raises:
        FileNotFoundError: If the source or the root does not exist.
        ValueError: If it is divided already, or its videos have no classes.
    """
    check_root(source, root)
    layout = find_layout(source)
    path = expanded(source)
    if layout.kind == "splits" and {*layout.sources.values()} <= {*map(str, list_names(path).values())}:
        layout = Layout("whole", {UNDIVIDED: str(path)}, str(path))
    parts = layout.splits
    if is_list(str(path)) and len(parts) < 2:
        named = split_column(path, Path(root) if root else path.parent, columns or {}) or []
        parts = dict.fromkeys(sorted(filter(None, named)), source)
    if len(parts) > 1:
        raise ValueError(
            f"{source} is divided already, into {', '.join(parts)}; to divide one of these further, give it as the "
            "source, with --output"
        )
    if layout.kind == "loose":
        raise ValueError(f"{source} holds videos without classes; expected {source}/CLASS/VIDEO.mp4, or a list")
    (index,) = read_sources(layout, root, columns).values()
    if layout.kind == "index":  # its count of frames says which videos are usable, and what is left has them all
        index = replace(index, records=Records(index.records.table.drop_columns(["frames"])))
    if (record := index.unlabelled()) is not None:
        raise ValueError(f"{record.path} has no class: a division by class needs one for each video")
    return index, next(iter(layout.sources.values()))


def usable_part(index: VideoIndex) -> tuple[VideoIndex, NDArray[np.int64], str | None]:
    """Leave out what is missing, or unusable according to an index.

    Returns:
        The rest, its places in the index, and a line that says how many videos are left out, or None.
    """
    index = index.asked()
    errors = index.errors()
    bad = np.flatnonzero(pc.is_valid(errors))
    if not len(bad):
        return index, np.arange(len(index)), None
    kept = np.setdiff1d(np.arange(len(index)), bad)
    example = index.records[int(bad[0])]
    line = f"left out: {len(bad):,} of {len(index):,} videos, for instance {example.path} ({example.error})"
    return replace(index, records=index.records.take(kept)), kept, line


@dataclass(frozen=True)
class Divided:
    """A division.

    Attributes:
        sides: Number in `SPLITS` of each video, (N,).
        groups: Group of each video, (N,).
        counts: Videos of each split and class, (splits, K); the last column counts all videos.
        groups_of_class: Number of groups in which each class occurs, (K,).
    """

    sides: NDArray[np.int64]
    groups: NDArray[np.int64]
    counts: NDArray[np.int64]
    groups_of_class: NDArray[np.int64]


def divide(
    index: VideoIndex,
    shares: Sequence[float],
    *,
    seed: int,
    names: Sequence[str | None] | None = None,
    pairs: Sequence[tuple[int, int]] = (),
) -> Divided:
    """Divide videos by class, so that what belongs together stays on one side.

    Args:
        index: The videos.
        shares: Share of train, val and perhaps test; they add up to 1.
        seed: Seed of the choice among groups of equal size.
        names: Group of each video, or None for one without. Default: none has one.
        pairs: Positions of videos that belong together all the same.

    Returns:
        The division. Parts of one video, and files of the same bytes, always belong together.

    Raises:
        ValueError: If a split would be empty.
    """
    paths = index.relative_paths().to_pylist()
    contents = with_contents(videos_of({UNDIVIDED: index}))["content"].to_pylist()
    groups = joined_groups([paths, contents, names or [None] * len(index)], pairs)
    rows, classes = index.label_pairs()
    labels = csr_array((np.ones(len(rows)), (rows, classes)), shape=(len(index), len(index.classes)))
    first: dict[int, bytes] = {}
    for group, path in zip(groups.tolist(), paths, strict=True):
        first[group] = min(path, first.get(group, path))
    sides = divide_groups(groups, labels, shares, [first[group] for group in range(len(first))], seed)
    counts = np.zeros((len(shares), len(index.classes) + 1), np.int64)
    np.add.at(counts, (sides[rows], classes), 1)
    counts[:, -1] = np.bincount(sides, minlength=len(shares))
    if not counts[:, -1].all():
        empty = SPLITS[int(np.argmin(counts[:, -1]))]
        raise ValueError(
            f"{empty} would be empty: the {counted(len(index), 'video')} are in {counted(len(first), 'group')}, and "
            "no group is divided"
        )
    together = np.unique(np.stack([groups[rows], classes]), axis=1)[1]
    return Divided(sides, groups, counts, np.bincount(together, minlength=len(index.classes)))


def check_new(folder: Path, *, overwrite: bool) -> None:
    """Refuse to replace lists, unless that is asked for, and to write lists beside other splits.

    Raises:
        ValueError: It is so.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"--output must be a folder, {folder} is a file")
    there = [str(path) for path in list_names(folder).values() if path.exists()]
    if there and not overwrite:
        raise ValueError(f"{there[0]} exists; --overwrite replaces the lists, --output writes them elsewhere")
    others = set(find_splits(folder).values()) - set(list_names(folder).values()) if folder.is_dir() else set()
    if others:
        raise ValueError(f"{min(others)} is a split already, and a list beside it would take its place; give --output")


def write_splits(folder: Path, index: VideoIndex, sides: NDArray[np.int64], names: Sequence[str | None] | None) -> str:
    """Write the lists of a division. A list of an earlier one that this has no videos for is removed.

    Args:
        folder: Folder of the lists.
        index: The videos.
        sides: Number in `SPLITS` of each video.
        names: Group of each video, for a column "group".

    Returns:
        The options with which `videogn fit` takes the lists.
    """
    columns = list_columns(index)
    with ExitStack() as lists:  # all take their places at once: two divisions side by side would share videos
        for number, path in enumerate(list_names(folder).values()):
            rows = np.flatnonzero(sides == number)
            if not len(rows):
                continue
            further = {} if names is None else {"group": [names[row] or "" for row in rows.tolist()]}
            part = replace(index, records=index.records.take(rows))
            write_list(lists.enter_context(replacing(path)), part, columns, further)
    for number, path in enumerate(list_names(folder).values()):
        if number not in sides:
            path.unlink(missing_ok=True)
    written = {split: str(path) for split, path in list_names(folder).items() if path.exists()}
    found = find_layout(folder)
    plain = found.kind == "splits" and found.sources == written
    options = [f"--data.root {_quoted(folder)}"] if plain else []
    options += [] if plain else [f"--data.{split} {_quoted(path)}" for split, path in written.items()]
    named = roles_to_name(columns)
    return " ".join([*options, *([f"--data.columns {named}"] if named else [])])


def _quoted(path: str | os.PathLike[str]) -> str:
    return shlex.quote(os.fspath(path))
