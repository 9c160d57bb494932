"""Which videos belong together, so that none of them is in training while another one is tested."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from videogn.checks import did_you_mean
from videogn.data.data_layout import is_index
from videogn.data.lists.column_values import column_values
from videogn.data.lists.list_sources import is_list
from videogn.data.video_index import VideoIndex

#: What stands for the folder that a video lies in.
FOLDER = "folder"
#: v_Drumming_g01_c03.avi of UCF101, and other names that end in the number of a clip after the name of its source.
_CLIP_OF = re.compile(r"(.*[\D_]\d+)_(?:c|clip|part|seg|shot)?_?\d+\.\w+", re.IGNORECASE)


def group_names(index: VideoIndex, source: str, by: str, columns: Mapping[str, str] | None = None) -> list[str | None]:
    """Find the group of every video.

    Args:
        index: The videos, in the order of the source.
        source: Source that they were read from.
        by: "folder", the name of a column of the source, or a regular expression with one group in parentheses that is
            searched for in each path below the root.
        columns: Role -> name of a column of a list.

    Returns:
        Name of each video's group; None where a column says nothing, of a video that is a group of its own.

    Raises:
        ValueError: If `by` is none of these, or does not fit all videos.
    """
    if "(" not in by:
        found = _column(source, index, by, columns)
        if found is not None:
            return [value or None for value in found]
        if by != FOLDER:
            raise ValueError(_no_column(source, by))
    paths = [path.decode("utf-8", "surrogatepass") for path in index.relative_paths().to_pylist()]
    return _folders(paths, index, source) if by == FOLDER else _matches(paths, by)


def joined_groups(keys: Sequence[Sequence[object]], pairs: Sequence[tuple[int, int]] = ()) -> NDArray[np.int64]:
    """Join videos that share a key of any kind, or are a pair, also by way of others.

    Args:
        keys: Sequences of one key for each video; None is no key.
        pairs: Further pairs of positions.

    Returns:
        Group of each video, (N,), from 0 on without gaps.
    """
    count = len(keys[0])
    edges = list(pairs)
    for kind in keys:
        first: dict[object, int] = {}
        edges += [(first.setdefault(key, place), place) for place, key in enumerate(kind) if key is not None]
    one, other = np.array(edges, np.int32).reshape(-1, 2).T  # SciPy 1.11 takes no longer indices there
    graph = coo_array((np.ones(len(one), bool), (one, other)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)


def suggested_pattern(index: VideoIndex) -> str | None:
    """Suggest a pattern where the names of videos end in numbers of clips of one source, as those of UCF101 do."""
    names = [os.path.basename(path.decode("utf-8", "replace")) for path in index.relative_paths().to_pylist()]
    matches = [_CLIP_OF.fullmatch(name) for name in names]
    sources = {match[1] for match in matches if match}
    if not all(matches) or not len(index.classes) < len(sources) < len(names):
        return None
    return r"([^/]+)_[^_]*\d+\.\w+$"


def _column(source: str, index: VideoIndex, name: str, columns: Mapping[str, str] | None) -> list[str | None] | None:
    """The values of a column of a list or an index; None if there is no such column."""
    if is_list(source):
        return column_values(Path(source), Path(index.root), name, columns)
    if not is_index(source) or name not in pq.read_schema(source).names:
        return None
    values = pq.read_table(source, columns=[name], partitioning=None)[name].cast(pa.string()).to_pylist()
    if len(values) != len(index):
        raise ValueError(f"{source} has rows with a split and without: make an index of the part to divide")
    return list(values)


def _no_column(source: str, by: str) -> str:
    pattern = r"a pattern needs parentheses around what videos of a group share, such as '(s\d+)_'"
    if is_index(source):
        names = pq.read_schema(source).names
        return f"--by: {source} has no column {by!r}; {pattern}{did_you_mean(by, names)}"
    what = f"{source} has no such column" if is_list(source) else "only a list or an index has columns"
    return f"--by must be folder, a column or a pattern, got {by!r}: {what}; {pattern}"


def _folders(paths: Sequence[str], index: VideoIndex, source: str) -> list[str | None]:
    """The folder of each path. One that is a class divides nothing."""
    folders = [os.path.dirname(path) for path in paths]
    if loose := [path for path, folder in zip(paths, folders, strict=True) if folder in ("", *index.classes)]:
        raise ValueError(
            f"--by folder needs a folder for each group, such as CLASS/PERSON/{Path(loose[0]).name}; in {source}, "
            f"{loose[0]} lies in none"
        )
    return [os.path.basename(folder) for folder in folders]


def _matches(paths: Sequence[str], by: str) -> list[str | None]:
    try:
        pattern = re.compile(by)
    except re.error as error:
        raise ValueError(f"--by is no regular expression: {error}, got {by!r}") from None
    if pattern.groups != 1:
        raise ValueError(
            f"--by needs one group in parentheses, around what the videos of a group share, got {by!r} with "
            f"{pattern.groups}"
        )
    matches = [pattern.search(path) for path in paths]
    if none := [path for path, match in zip(paths, matches, strict=True) if match is None or match[1] is None]:
        raise ValueError(f"--by {by!r} is not found in {len(none):,} of {len(paths):,} paths, for instance {none[0]}")
    return [match[1] for match in matches if match]
