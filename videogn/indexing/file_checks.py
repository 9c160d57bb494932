"""Integrity of the files of a listing: those that are new or changed are checked, in processes that can be killed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from videogn.checks import require_at_least, require_positive
from videogn.choices import FRAME_RATE
from videogn.data.file_hash import sha256_of
from videogn.data.parquet_index import USABLE
from videogn.data.stored_paths import opened_path
from videogn.indexing.catalogue import FOUND, Facts
from videogn.indexing.file_states import file_state
from videogn.system.journal import Journal, read_journal
from videogn.system.killable import LONGEST, KillableProcess, ProcessDiedError, TimeLimitError, check_limit
from videogn.system.killable_pool import end_of, work_through
from videogn.video.decoders.time_limit import in_seconds

#: Columns of the results of file checks: path as stored, and what `catalogue.FOUND` has of the file.
RESULTS = pa.schema([("path", pa.string()), *FOUND])
CHECKER = "videogn.video.integrity_report:IntegrityChecker"

_NOT_OPENED = "not opened within"
_HANGS = "its decoder hangs"
#: Beginnings of reasons by which earlier versions called files corrupt: slow ones, and those damaged beside the video.
_EARLIER = r"^(not read within|the data at bytes)"
_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True, kw_only=True)
class FileWork:
    """Work on many files in killable processes.

    Args:
        timeout: Seconds for one small file; a large one has more, see `videogn.video.decoders.time_limit`.
        workers: Number of files at once.

    Raises:
        ValueError: If a number is out of range.
    """

    timeout: float
    workers: int

    def __post_init__(self) -> None:
        check_limit("timeout", self.timeout)
        require_at_least("workers", self.workers, 1)


@dataclass(frozen=True, kw_only=True)
class FileChecks(FileWork):
    """Settings of the check of many files.

    Args:
        decode: Whether to decode all frames. Otherwise only packets are read.
        hashed: Whether to hash the bytes of usable files too. Default: True.
        factory: "module:name" of the checker's class, which is created in each process.
        frame_rate: Frames per second of folders of images.
    """

    decode: bool
    hashed: bool = True
    factory: str = CHECKER
    frame_rate: float = FRAME_RATE

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("frame_rate", self.frame_rate)

    def check(self, process: KillableProcess, path: str) -> dict[str, Any]:
        """Check one file. A file that cannot be checked has a status that says so.

        Args:
            process: Process of a checker.
            path: Path as stored.

        Returns:
            Values by column of `catalogue.FOUND`; unknown ones are left out.

        Raises:
            StartError: If the process cannot be started.
        """
        path = opened_path(path)
        try:
            return self._check_once(process, path)
        except ProcessDiedError:  # perhaps because of an earlier file, or for want of memory
            pass
        try:
            return self._check_once(process, path)
        except ProcessDiedError as error:
            return {"status": "corrupt", "reason": f"crashed the decoder ({end_of(error)})"}

    def _check_once(self, process: KillableProcess, path: str) -> dict[str, Any]:
        try:
            limit = process.call("open", path, self.timeout, self.frame_rate, limit=self.timeout)
        except TimeLimitError:
            return {"status": "slow", "reason": f"{_NOT_OPENED} {in_seconds(self.timeout)}"}
        # Decoding ends by itself when the time is up; what is still at work much later does not come back.
        limit = min(limit + self.timeout, LONGEST)
        try:
            return report_columns(process.call("check", self.decode, self.timeout, limit=limit))
        except TimeLimitError:
            return {"status": "corrupt", "reason": f"{_HANGS} (no answer within {in_seconds(limit)})"}


def known_results(table: pa.Table | None, facts: Facts | None, journal: Path, checks: FileChecks) -> pa.Table:
    """Collect results of earlier runs that this run would get again from an unchanged file.

    Args:
        table: Rows of the index as it is, or None.
        facts: Facts of that index, or None.
        journal: Journal of an interrupted run; it need not exist.
        checks: Settings of this run.

    Returns:
        Columns `RESULTS`. If a path has several rows, the first is the newest.
    """
    found = [_without_slow(part, limit, checks) for part, limit in _journalled(journal, checks.decode)]
    if table is not None and facts is not None and facts.decode == checks.decode:
        found.append(_without_slow(table.select(RESULTS.names), facts.timeout, checks))
    known = _without_other_rates(pa.concat_tables([RESULTS.empty_table(), *found]), checks.frame_rate)
    return known.filter(pc.is_valid(known["mtime_ns"]))


def stale_paths(paths: pa.ChunkedArray, states: pa.Table, known: pa.Table) -> pa.Array:
    """Choose the files to check: those that exist, are not empty, and have changed since their known result.

    Args:
        paths: Paths as stored.
        states: Their states, from `file_states`.
        known: Results of `known_results`.

    Returns:
        The paths, each once.
    """
    before = known.take(pc.index_in(paths, value_set=known["path"]).combine_chunks())
    same = pc.and_(
        pc.equal(before["bytes"], states["bytes"]),
        pc.equal(before["mtime_ns"], states["mtime_ns"]),
    )
    return paths.filter(pc.and_not(pc.is_null(states["status"]), pc.fill_null(same, False))).unique()


def check_files(paths: pa.Array, checks: FileChecks, journal: Path, progress: Callable[[int, int], None]) -> None:
    """Check files and append each result to a journal.

    Args:
        paths: Paths as stored.
        checks: Settings of the checks.
        journal: File to append to.
        progress: Called with (files checked, files to check).

    Raises:
        OSError: If the journal cannot be written, or a process cannot be started.
    """
    with Journal(journal) as lines, closing(checked(paths, checks, progress)) as rows:
        lines.append({"decode": checks.decode, "timeout": checks.timeout})
        for found in rows:
            lines.append(found)


def checked(
    paths: pa.Array, checks: FileChecks, progress: Callable[[int, int], None] = lambda done, total: None
) -> Generator[dict[str, Any], None, None]:
    """Check files. Closing the iteration kills the processes.

    Args:
        paths: Paths as stored.
        checks: Settings of the checks.
        progress: Called with (files checked, files to check) after each file was taken.

    Yields:
        Values by column of `RESULTS`, in the order in which files are done; unknown ones are left out.
    """

    def work(process: KillableProcess, path: str) -> dict[str, Any]:
        # The state before reading: if the file changes meanwhile, the next run sees another time of change.
        count, changed, status, reason = file_state(path)
        if status is not None:
            return {"path": path, "status": status, "reason": reason}
        found = checks.check(process, path)
        if checks.hashed and found.get("status") in (*USABLE, "truncated"):  # its bytes are still in memory
            found["sha256"] = sha256_of(opened_path(path))
        return {"path": path, **found, "bytes": count, "mtime_ns": changed}

    tasks = (path.as_py() for path in paths)
    with closing(work_through(checks.factory, work, tasks, workers=min(checks.workers, len(paths)))) as results:
        for done, (_, found) in enumerate(results, 1):
            yield found
            progress(done, len(paths))


def results_table(found: Iterable[dict[str, Any]], schema: pa.Schema = RESULTS) -> pa.Table:
    """Make a table of rows, some at a time.

    Args:
        found: Rows by column, such as `checked` yields. Missing values become null.
        schema: Columns of the table.
    """
    rows = iter(found)
    tables = [schema.empty_table()]
    while part := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        tables.append(pa.Table.from_pylist(part, schema))
    return pa.concat_tables(tables)


def joined(listed: pa.Table, states: pa.Table, known: pa.Table, min_frames: int) -> pa.Table:
    """Join a listing with the results of its files.

    Args:
        listed: Columns of `LISTED`, or path alone.
        states: States of its files, from `file_states`.
        known: Results of `known_results`, with a result for each stale path.
        min_frames: Least number of frames; a video with fewer is "short".

    Returns:
        The rows of the index.
    """
    undecided = pc.is_null(states["status"])
    place = pc.index_in(listed["path"], value_set=known["path"])
    found = known.take(pc.if_else(undecided, place, None).combine_chunks())
    few = pc.less(found["frames"], min_frames)
    # "short" is decided again, because `min_frames` may have changed.
    judged = pc.if_else(pc.equal(found["status"], "short"), "ok", found["status"])
    judged = pc.if_else(pc.fill_null(pc.and_(few, pc.equal(judged, "ok")), False), "short", judged)
    columns = {name: found[name] for name in FOUND.names}
    columns["status"] = pc.coalesce(states["status"], judged, pa.scalar("missing"))
    went = pc.if_else(pc.and_(undecided, pc.equal(columns["status"], "missing")), "went meanwhile", None)
    columns["reason"] = pc.coalesce(states["reason"], found["reason"], went)
    columns["bytes"] = pc.if_else(pc.equal(columns["status"], "empty"), 0, columns["bytes"])
    return pa.table({name: listed[name] for name in listed.column_names} | columns)


def report_columns(report: Any) -> dict[str, Any]:
    """Return the values of an IntegrityReport by column; for a file that could not be opened only status and reason."""
    opened = asdict(report) if report.width else {"status": report.status, "reason": report.reason}
    if report.notes:
        more = f" (and {len(report.notes) - 1} more)" if len(report.notes) > 1 else ""
        opened["note"] = report.notes[0] + more
    return {name: opened[name] for name in FOUND.names if name in opened and opened[name] not in ("", None)}


def _without_slow(found: pa.Table, limit: float, checks: FileChecks) -> pa.Table:
    """Leave out files that took too long, if this run gives them more time, and what is judged otherwise today."""
    again = pc.match_substring_regex(found["reason"], _EARLIER)
    if checks.timeout > limit:
        slow = pc.equal(found["status"], "slow")
        again = pc.or_kleene(pc.or_kleene(again, pc.starts_with(found["reason"], _HANGS)), slow)
    return found.filter(pc.invert(pc.fill_null(again, False)))


def _without_other_rates(found: pa.Table, frame_rate: float) -> pa.Table:
    """Leave out folders of images that were taken for videos of another frame rate."""
    images = pc.is_in(found["codec"], pa.array(["mjpeg", "png"]))
    perhaps = np.flatnonzero(pc.and_(images, pc.fill_null(pc.not_equal(found["fps"], frame_rate), False)))
    paths = found["path"].take(pa.array(perhaps)).to_pylist()
    other = [row for row, path in zip(perhaps.tolist(), paths, strict=True) if os.path.isdir(opened_path(path))]
    return found.take(pa.array(np.delete(np.arange(len(found)), other))) if other else found


def _journalled(journal: Path, decode: bool) -> list[tuple[pa.Table, float]]:
    """Results in a journal, the newest first: tables, each with the time limit of its run."""
    parts: list[tuple[pa.Table, float]] = []
    run: dict[str, Any] = {}
    rows: list[dict[str, Any]] = []

    def keep() -> None:
        if rows and run.get("decode") == decode:
            parts.append((pa.Table.from_pylist(rows[::-1], RESULTS), run["timeout"]))
        rows.clear()

    for line in read_journal(journal):
        if "path" not in line:
            keep()
            run = line
            continue
        rows.append(line)
        if len(rows) == _ROWS_AT_ONCE:
            keep()
    keep()
    return parts[::-1]
