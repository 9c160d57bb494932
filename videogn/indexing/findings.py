"""What is in the files of a listing: those that are new or changed are opened, in processes that can be killed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from videogn.data.stored_paths import opened_path
from videogn.indexing.catalogue import FOUND, Facts
from videogn.indexing.file_states import FileStates, file_state
from videogn.system.journal import Journal, read_journal
from videogn.system.killable import KillableProcess, ProcessDiedError, TimeLimitError, check_limit
from videogn.system.killable_pool import end_of, work_through

#: What is known of a file: its path, as stored, and what was found.
RESULTS = pa.schema([("path", pa.string()), *FOUND])
INSPECTOR = "videogn.video.integrity_report:Inspector"

_TOO_SLOW = "not read within"
_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Probe:
    """How files are looked into.

    Attributes:
        decode: decode every frame; otherwise only packets are read.
        timeout: seconds for one file.
        workers: files at once.
        factory: "module:name" of what makes the inspector in a process of its own.
    """

    decode: bool
    timeout: float
    workers: int
    factory: str = INSPECTOR

    def __post_init__(self) -> None:
        check_limit("timeout", self.timeout)
        if self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")

    def inspect(self, process: KillableProcess, path: str) -> dict[str, Any]:
        """Look into one file; what cannot be done with it is its status, not an error.

        Args:
            process: of an inspector.
            path: as stored.

        Returns:
            Values of the columns that a report has.

        Raises:
            StartError: the process cannot be started.
        """
        try:
            report = self._ask(process, opened_path(path))
        except TimeLimitError:
            return {"status": "corrupt", "reason": f"{_TOO_SLOW} {self.timeout:g} s"}
        except ProcessDiedError as error:
            return {"status": "corrupt", "reason": f"crashed the decoder ({end_of(error)})"}
        return report_columns(report)

    def _ask(self, process: KillableProcess, path: str) -> Any:
        try:
            return process.call("inspect", path, self.decode, limit=self.timeout)
        except ProcessDiedError:  # perhaps for what an earlier file did, or for want of memory
            return process.call("inspect", path, self.decode, limit=self.timeout)


def known_results(table: pa.Table | None, facts: Facts | None, journal: Path, probe: Probe) -> pa.Table:
    """Collect what earlier runs found, as far as this one would find the same in an unchanged file.

    Args:
        table: rows of the index as it is, or None.
        facts: of that index, or None.
        journal: of a run that did not come to its end; it need not exist.
        probe: how this run looks into files.

    Returns:
        Columns `RESULTS`; of several rows for a path the first is the newest.
    """
    found = [_without_slow(part, limit, probe) for part, limit in _journalled(journal, probe.decode)]
    if table is not None and facts is not None and facts.decode == probe.decode:
        found.append(_without_slow(table.select(RESULTS.names), facts.timeout, probe))
    known = pa.concat_tables([RESULTS.empty_table(), *found])
    return known.filter(pc.is_valid(known["mtime_ns"]))


def stale_paths(paths: pa.ChunkedArray, states: FileStates, known: pa.Table) -> pa.Array:
    """Choose the files to look into: there, not empty, and not known as they are now.

    Args:
        paths: as stored.
        states: of these files.
        known: from `known_results`.

    Returns:
        Their paths, each once.
    """
    place = pc.index_in(paths, value_set=known["path"]).combine_chunks()
    same = pc.and_(
        pc.equal(known["bytes"].take(place), pa.array(states.bytes)),
        pc.equal(known["mtime_ns"].take(place), pa.array(states.mtime_ns)),
    )
    undecided = pc.is_null(pa.array(states.status, pa.string()))
    return paths.filter(pc.and_not(undecided, pc.fill_null(same, False))).unique()


def probe_files(paths: pa.Array, probe: Probe, journal: Path, progress: Callable[[int, int], None]) -> None:
    """Look into files and write what is found to a journal, one by one.

    Args:
        paths: as stored.
        probe: how.
        journal: is appended to.
        progress: called with (done, total).

    Raises:
        OSError: the journal cannot be written, or a process cannot be started.
    """
    with Journal(journal) as lines, closing(inspected(paths, probe)) as rows:
        lines.append({"decode": probe.decode, "timeout": probe.timeout})
        for done, found in enumerate(rows, 1):
            lines.append(found)
            progress(done, len(paths))


def inspected(paths: pa.Array, probe: Probe) -> Generator[dict[str, Any], None, None]:
    """Look into files. Closing the iteration kills the processes.

    Args:
        paths: as stored.
        probe: how.

    Yields:
        Values of `RESULTS`, in the order in which the files are done; what is unknown is left out.
    """

    def work(process: KillableProcess, path: str) -> dict[str, Any]:
        # Asked before it is read: if it changes meanwhile, the next run sees another time of change.
        count, changed, status, reason = file_state(path)
        if status is not None:
            return {"path": path, "status": status, "reason": reason}
        return {"path": path, **probe.inspect(process, path), "bytes": count, "mtime_ns": changed}

    tasks = (path.as_py() for path in paths)
    with closing(work_through(probe.factory, work, tasks, workers=min(probe.workers, len(paths)))) as results:
        for _, found in results:
            yield found


def results_table(found: Iterable[dict[str, Any]], schema: pa.Schema = RESULTS) -> pa.Table:
    """Make a table of rows, such as `inspected` yields, a part at a time; what a row lacks is null."""
    rows = iter(found)
    tables = [schema.empty_table()]
    while part := list(itertools.islice(rows, _ROWS_AT_ONCE)):
        tables.append(pa.Table.from_pylist(part, schema))
    return pa.concat_tables(tables)


def joined(listed: pa.Table, states: FileStates, known: pa.Table, min_frames: int) -> pa.Table:
    """Put listing and findings together.

    Args:
        listed: the columns `LISTED`, or path alone.
        states: of its files.
        known: from `known_results`, with every stale path looked into.
        min_frames: a video with fewer frames is "short".

    Returns:
        The rows of the index.
    """
    status = pa.array(states.status, pa.string())
    place = pc.index_in(listed["path"], value_set=known["path"]).combine_chunks()
    found = known.take(pc.if_else(pc.is_null(status), place, None))
    few = pc.less(found["frames"], min_frames)
    # "short" is decided anew, as `min_frames` may differ from what it was.
    judged = pc.if_else(pc.equal(found["status"], "short"), "ok", found["status"])
    judged = pc.if_else(pc.fill_null(pc.and_(few, pc.equal(judged, "ok")), False), "short", judged)
    columns = {name: found[name] for name in FOUND.names}
    columns["status"] = pc.coalesce(status, judged, pa.scalar("missing"))
    went = pc.if_else(pc.and_(pc.is_null(status), pc.equal(columns["status"], "missing")), "went meanwhile", None)
    columns["reason"] = pc.coalesce(pa.array(states.reason, pa.string()), found["reason"], went)
    empty = pc.equal(columns["status"], "empty")
    columns["bytes"] = pc.if_else(empty, 0, columns["bytes"])
    return pa.table({name: listed[name] for name in listed.column_names} | columns)


def report_columns(report: Any) -> dict[str, Any]:
    """Return a VideoReport's values by column; of a file that could not be opened only what is wrong with it."""
    opened = asdict(report) if report.width else {"status": report.status, "reason": report.reason}
    return {name: opened[name] for name in FOUND.names if name in opened and opened[name] not in ("", None)}


def _without_slow(found: pa.Table, limit: float, probe: Probe) -> pa.Table:
    """Leave out files that took too long, where this run gives them more time."""
    if probe.timeout <= limit:
        return found
    return found.filter(pc.invert(pc.fill_null(pc.starts_with(found["reason"], _TOO_SLOW), False)))


def _journalled(journal: Path, decode: bool) -> list[tuple[pa.Table, float]]:
    """What a journal holds, the newest first: tables with the time limit that they were made under."""
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
