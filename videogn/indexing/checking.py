"""`videogn data check`: whether the files are still what an index says."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from videogn.data.stored_paths import opened_path, stored_path
from videogn.indexing.catalogue import Catalogue, read_catalogue
from videogn.indexing.file_states import FileStates, file_states
from videogn.indexing.findings import INSPECTOR, Probe, inspected, joined, results_table
from videogn.indexing.listing import names_hash, unlisted_videos

#: Columns that are compared, beside the status.
_COMPARED = ("bytes", "frames", "width", "height", "rotation", "codec")


class Difference(NamedTuple):
    """One video that is not what the index says.

    Attributes:
        path: as stored.
        kind: "gone", "found", "status", or the column that differs; "unlisted" of a folder whose unlisted videos do.
        then: what the index says.
        now: what the disk says.
    """

    path: str
    kind: str
    then: str
    now: str


@dataclass(frozen=True)
class Checked:
    """What a check found.

    Attributes:
        videos: rows of the index.
        differences: one for each video that differs, in the order of the index, then the unlisted ones together.
    """

    videos: int
    differences: list[Difference]


def check_index(
    path: str | Path,
    *,
    timeout: float,
    workers: int,
    quick: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    inspector: str = INSPECTOR,
) -> Checked:
    """Look at every file of an index again; the index stays as it is.

    Args:
        path: the index.
        timeout: seconds for one file.
        workers: files at once.
        quick: compare sizes and times of change only, and open nothing.
        progress: called with (files looked into, files to look into).
        inspector: "module:name" of what looks into files, as in `Probe`.

    Returns:
        What differs.

    Raises:
        FileNotFoundError: there is no such index.
        ValueError: the file is no index.
    """
    catalogue = read_catalogue(path)
    how = Probe(decode=catalogue.facts.decode, timeout=timeout, workers=workers, factory=inspector)
    states = file_states(catalogue.table["path"])
    if quick:
        differences = _compare_states(catalogue, states)
    else:
        differences = _compare_rows(catalogue, _as_now(catalogue, states, how, progress))
    return Checked(catalogue.table.num_rows, differences + _unlisted(catalogue))


def _as_now(catalogue: Catalogue, states: FileStates, probe: Probe, progress: Callable[[int, int], None]) -> pa.Table:
    """The rows as an index made now would have them."""
    readable = pc.is_null(pa.array(states.status, pa.string()))
    paths = catalogue.table["path"].filter(readable).unique()

    def watched(rows: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        for done, found in enumerate(rows, 1):
            progress(done, len(paths))
            yield found

    with closing(inspected(paths, probe)) as rows:
        known = results_table(watched(rows))
    return joined(catalogue.table.select(["path"]), states, known, catalogue.facts.min_frames)


def _compare_rows(catalogue: Catalogue, now: pa.Table) -> list[Difference]:
    then = catalogue.table
    differs = pc.not_equal(then["status"], now["status"])
    for name in _COMPARED:
        differs = pc.or_(differs, pc.fill_null(pc.not_equal(then[name], now[name]), False))
    return [
        _difference(before, after)
        for before, after in zip(then.filter(differs).to_pylist(), now.filter(differs).to_pylist(), strict=True)
    ]


def _difference(then: dict[str, Any], now: dict[str, Any]) -> Difference:
    if then["status"] != now["status"]:
        kind = {then["status"]: "found", now["status"]: "gone"}.get("missing", "status")
        return Difference(then["path"], kind, _status(then), _status(now))
    name = next(name for name in _COMPARED if None not in (then[name], now[name]) and then[name] != now[name])
    return Difference(then["path"], name, str(then[name]), str(now[name]))


def _status(row: dict[str, Any]) -> str:
    return row["status"] + (f" ({row['reason']})" if row["reason"] and row["status"] != "missing" else "")


def _compare_states(catalogue: Catalogue, states: FileStates) -> list[Difference]:
    differences = []
    columns = catalogue.table.select(["path", "status", "reason", "bytes", "mtime_ns"])
    rows = itertools.chain.from_iterable(batch.to_pylist() for batch in columns.to_batches(max_chunksize=1 << 14))
    for then, *found in zip(rows, *states, strict=True):
        count, changed, status, reason = found
        now = {"status": status, "reason": reason}
        if (status == "missing") != (then["status"] == "missing"):
            kind = "gone" if status == "missing" else "found"
            differences.append(Difference(then["path"], kind, then["status"], status or "there"))
        elif status == "corrupt" and then["bytes"] is not None:  # cannot be read any more
            differences.append(Difference(then["path"], "status", _status(then), _status(now)))
        elif then["bytes"] is not None and then["bytes"] != count:
            differences.append(Difference(then["path"], "bytes", str(then["bytes"]), str(count)))
        elif then["mtime_ns"] not in (None, changed):
            differences.append(Difference(then["path"], "mtime_ns", str(then["mtime_ns"]), str(changed)))
    return differences


def _unlisted(catalogue: Catalogue) -> list[Difference]:
    """Whether the videos that no row lists are those of when the index was made."""
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
