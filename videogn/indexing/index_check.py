"""`videogn data check`: comparison of an index with the files as they are now."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from videogn.data.stored_paths import opened_path, stored_path
from videogn.indexing.catalogue import Catalogue, files_of, read_catalogue
from videogn.indexing.file_checks import CHECKER, FileChecks, checked, joined, results_table
from videogn.indexing.file_states import file_states
from videogn.indexing.listing import names_hash, unlisted_videos

#: Columns that are compared besides the status.
_COMPARED = ("bytes", "frames", "width", "height", "rotation", "codec")


class Difference(NamedTuple):
    """One video that differs from the index.

    Attributes:
        path: Path as stored.
        kind: "gone", "found", "status", or the name of the column that differs; "unlisted" for a folder whose unlisted
            videos differ.
        then: Value in the index.
        now: Value on disk.
    """

    path: str
    kind: str
    then: str
    now: str


@dataclass(frozen=True)
class Checked:
    """Result of comparing an index with its files.

    Attributes:
        videos: Number of rows of the index.
        differences: One difference for each video that differs, in the order of the index, then one for all unlisted
            videos.
        noted: Number of rows with a note: damage beside the video.
    """

    videos: int
    differences: list[Difference]
    noted: int


def check_index(
    path: str | Path,
    *,
    timeout: float,
    workers: int,
    quick: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    checker: str = CHECKER,
) -> Checked:
    """Check every file of an index again. The index stays as it is.

    Args:
        path: The index.
        timeout: Seconds for one file.
        workers: Number of files at once.
        quick: Whether to compare only sizes and times of change, and to open nothing. Default: False.
        progress: Called with (files checked, files to check).
        checker: "module:name" of the checker's class; see `FileChecks`.

    Returns:
        The differences.

    Raises:
        FileNotFoundError: If the index does not exist.
        ValueError: If the file is no index.
    """
    catalogue = read_catalogue(path)
    videos = catalogue.table.num_rows
    checks = FileChecks(decode=catalogue.facts.decode, timeout=timeout, workers=workers, hashed=False, factory=checker)
    catalogue = Catalogue(files_of(catalogue.table), catalogue.facts)
    states = file_states(catalogue.table["path"])
    rows = catalogue.table
    if quick:
        differences = _compare_states(catalogue, states)
    else:
        rows = _as_now(catalogue, states, checks, progress)
        differences = _compare_rows(catalogue, rows)
    return Checked(videos, differences + _unlisted(catalogue), pc.count(rows["note"]).as_py())


def _as_now(
    catalogue: Catalogue, states: pa.Table, checks: FileChecks, progress: Callable[[int, int], None]
) -> pa.Table:
    """The rows as an index made now would have them."""
    paths = catalogue.table["path"].filter(pc.is_null(states["status"])).unique()
    with closing(checked(paths, checks, progress)) as rows:
        known = results_table(rows)
    return joined(catalogue.table.select(["path"]), states, known, catalogue.facts.min_frames)


def _compare_rows(catalogue: Catalogue, now: pa.Table) -> list[Difference]:
    then = catalogue.table
    unequal = {name: pc.fill_null(pc.not_equal(then[name], now[name]), False) for name in ("status", *_COMPARED)}
    for name in ("status", "frames"):  # how far a slow video was decoded in time says nothing about its file
        unequal[name] = pc.and_not(unequal[name], _timed(then, now))
    differs = functools.reduce(pc.or_, unequal.values())
    return [
        _difference(before, after)
        for before, after in zip(then.filter(differs).to_pylist(), now.filter(differs).to_pylist(), strict=True)
    ]


def _timed(then: pa.Table, now: pa.Table) -> pa.ChunkedArray:
    """Which videos were too slow to be decoded at one time or the other, and are whole as far as they were."""
    whole = pa.array(("ok", "short", "slow"))
    slow = pc.or_(pc.equal(then["status"], "slow"), pc.equal(now["status"], "slow"))
    return pc.and_(slow, pc.and_(pc.is_in(then["status"], whole), pc.is_in(now["status"], whole)))


def _difference(then: dict[str, Any], now: dict[str, Any]) -> Difference:
    if then["status"] != now["status"]:
        kind = {then["status"]: "found", now["status"]: "gone"}.get("missing", "status")
        return Difference(then["path"], kind, _status(then), _status(now))
    name = next(name for name in _COMPARED if None not in (then[name], now[name]) and then[name] != now[name])
    return Difference(then["path"], name, str(then[name]), str(now[name]))


def _status(row: dict[str, Any]) -> str:
    return row["status"] + (f" ({row['reason']})" if row["reason"] and row["status"] != "missing" else "")


def _compare_states(catalogue: Catalogue, states: pa.Table) -> list[Difference]:
    differences = []
    columns = catalogue.table.select(["path", *states.column_names])
    for then, now in zip(_rows(columns), _rows(states), strict=True):
        if (now["status"] == "missing") != (then["status"] == "missing"):
            kind = "gone" if now["status"] == "missing" else "found"
            differences.append(Difference(then["path"], kind, then["status"], now["status"] or "there"))
        elif now["status"] == "corrupt" and then["bytes"] is not None:  # cannot be read any more
            differences.append(Difference(then["path"], "status", _status(then), _status(now)))
        else:
            changed = [name for name in ("bytes", "mtime_ns") if then[name] not in (None, now[name])]
            differences += [Difference(then["path"], name, str(then[name]), str(now[name])) for name in changed[:1]]
    return differences


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a table, some at a time as Python objects."""
    for batch in table.to_batches(max_chunksize=1 << 14):
        yield from batch.to_pylist()


def _unlisted(catalogue: Catalogue) -> list[Difference]:
    """The difference between the unlisted videos now and when the index was made, if there is one."""
    facts = catalogue.facts
    searched = None if facts.searched is None else opened_path(facts.searched)
    if searched is None or not os.path.isdir(searched):
        return []
    now = unlisted_videos(searched, catalogue.table)
    before = facts.summary["unlisted"]
    if len(now) == before and facts.unlisted in (None, names_hash(now, searched)):
        return []
    other = "other " if len(now) == before else ""
    return [Difference(stored_path(searched), "unlisted", f"{before} videos", f"{len(now)} {other}videos")]
