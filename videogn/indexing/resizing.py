"""`videogn data resize`: small copies of the videos of an index, and an index of the copies."""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from videogn.checks import expanded
from videogn.data.file_hash import sha256_of
from videogn.data.parquet_index import usable
from videogn.data.stored_paths import opened_path, path_array, stored_path
from videogn.indexing.building import writing
from videogn.indexing.catalogue import LISTED, Catalogue, read_catalogue, summarise, write_catalogue
from videogn.indexing.file_checks import RESULTS, FileWork, joined, report_columns, results_table
from videogn.indexing.file_states import file_state, file_states
from videogn.indexing.listing import names_hash
from videogn.system.files import replacing
from videogn.system.journal import Journal, read_journal
from videogn.system.killable import KillableProcess, ProcessDiedError, TimeLimitError
from videogn.system.killable_pool import end_of, work_through
from videogn.video.decoders.time_limit import in_seconds
from videogn.video.errors import VideoDecodeError

if TYPE_CHECKING:
    from videogn.video.transcode import CopySettings

TRANSCODER = "videogn.video.transcode:Transcoder"
#: Index of the copies, and journal of the copies made; both lie in the folder of the copies.
INDEX = "index.parquet"
JOURNAL = "resize.journal"

#: A line of the journal: path of the original, result of checking the copy, state of the original, and settings.
_COPIES = pa.schema(
    [*RESULTS, ("source_bytes", pa.int64()), ("source_mtime_ns", pa.int64()), ("settings", pa.string())]
)
_PARTIAL = re.compile(r"\..+\.[0-9a-f]{8}\.partial\.mp4")


class _Task(NamedTuple):
    """A video to copy: path as stored, path of the copy, number of frames if they were counted, and their rate."""

    path: str
    target: str
    frames: int | None
    fps: float


@dataclass(frozen=True, kw_only=True)
class Copying(FileWork):
    """Settings of copying many videos.

    Args:
        settings: Size and coding of the copies.
        factory: "module:name" of the transcoder's class, which is created in each process.
    """

    settings: CopySettings
    factory: str = TRANSCODER

    @property
    def name(self) -> str:
        """Name of the settings in the journal."""
        return "/".join(map(str, astuple(self.settings)))


@dataclass(frozen=True)
class Resized:
    """Result of copying the videos of an index.

    Attributes:
        catalogue: The index of the copies as written.
        copied: Number of videos copied now.
        kept: Number of earlier copies of videos that have not changed.
        failures: Path, as stored, and reason of each usable video that could not be copied.
        bytes_before: Size of the videos that have a copy.
        bytes_after: Size of the copies.
    """

    catalogue: Catalogue
    copied: int
    kept: int
    failures: dict[str, str]
    bytes_before: int
    bytes_after: int


def resize_index(
    index: str | Path,
    out: str | Path,
    how: Copying,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Resized:
    """Copy every usable video of an index; the originals stay as they are.

    Args:
        index: Index, as `build_index` writes it.
        out: Folder of the copies: new, empty, or of an earlier run, which is continued. The copies are arranged in it
            as the videos below the root of the index.
        how: Settings of the copies.
        progress: Called with (videos done, videos to do).

    Returns:
        The index of the copies, and counts.

    Raises:
        OSError: If the index does not exist, or `out` cannot be written.
        ValueError: If `index` is no index, or `out` holds something else.
    """
    catalogue = read_catalogue(index)
    out = Path(os.path.abspath(expanded(out)))
    if out.exists() and not (out / JOURNAL).exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} holds something else than resized videos: name a new or an empty folder")
    targets = copy_paths(catalogue.table["path"].to_pylist(), opened_path(catalogue.facts.root), out)
    with writing(out / INDEX):
        _sweep(out)
        videos = catalogue.table.filter(usable(catalogue.table))
        tasks = _tasks(videos, catalogue.facts.decode, targets, out / JOURNAL, how)
        failures = _copy(tasks, out / JOURNAL, how, progress)
        table = _copies_table(catalogue, targets, out / JOURNAL, failures)
        facts = replace(
            catalogue.facts,
            root=stored_path(str(out)),
            searched=stored_path(str(out)),
            source=stored_path(os.path.abspath(index)),
            decode=True,
            timeout=how.timeout,
            unlisted=names_hash([], str(out)),
            summary=summarise(table, catalogue.facts.classes, 0),
        )
        write_catalogue(out / INDEX, Catalogue(table, facts))
    copied = table.filter(usable(table))["path"].unique()
    once = pc.index_in(copied, value_set=table["path"])  # a video may be listed twice
    return Resized(
        catalogue=Catalogue(table, facts),
        copied=len(tasks) - len(failures),
        kept=len(videos["path"].unique()) - len(tasks),
        failures=failures,
        bytes_before=pc.sum(catalogue.table["bytes"].take(once)).as_py() or 0,
        bytes_after=pc.sum(table["bytes"].take(once)).as_py() or 0,
    )


def copy_paths(stored: Sequence[str], root: str, out: Path) -> dict[str, str]:
    """Choose the paths of the copies: arranged as the videos below `root`, and ending in .mp4.

    A video that only its suffix tells from another one keeps it before the .mp4.

    Args:
        stored: Paths of the videos, as stored.
        root: Folder below which the arrangement is kept. If a video lies outside it, the folder that holds all videos.
        out: Folder of the copies.

    Returns:
        Path of a video, as stored -> path of its copy.

    Raises:
        ValueError: If a copy would replace a video or another copy.
    """
    paths = {text: opened_path(text) for text in stored}
    root = os.path.join(root, "")
    if any(not path.startswith(root) for path in paths.values()):
        root = os.path.join(os.path.commonpath([os.path.dirname(path) for path in paths.values()]), "")
    relative = {text: path.removeprefix(root) for text, path in paths.items()}
    stems = Counter(os.path.splitext(path)[0] for path in relative.values())
    targets = {}
    for text, path in relative.items():
        stem, suffix = os.path.splitext(path)
        targets[text] = os.path.join(out, (stem if stems[stem] == 1 or suffix == ".mp4" else path) + ".mp4")
    if replaced := set(targets.values()) & set(paths.values()):
        raise ValueError(f"the copies would replace the videos, for instance {min(replaced)}: name another folder")
    if twice := [target for target, count in Counter(targets.values()).items() if count > 1]:
        raise ValueError(f"two videos would both be copied to {min(twice)}: rename one of them")
    return targets


def _sweep(out: Path) -> None:
    """Remove the partial copies of a run that was killed."""
    for folder, _, names in os.walk(out):
        for name in filter(_PARTIAL.fullmatch, names):
            os.unlink(os.path.join(folder, name))


def _copies(journal: Path) -> pa.Table:
    """Copies in the journal, `_COPIES`, the newest first."""
    copies = results_table(read_journal(journal), _COPIES)
    return copies.take(pa.array(range(copies.num_rows - 1, -1, -1), pa.int64()))


def _tasks(videos: pa.Table, counted: bool, targets: dict[str, str], journal: Path, how: Copying) -> list[_Task]:
    """The videos to copy, each once; `counted` says whether the index counted the frames that decode."""
    rows = videos.filter(pc.invert(_is_copied(videos["path"], targets, journal, how)))
    tasks = {
        row["path"]: _Task(
            row["path"],
            targets[row["path"]],
            row["frames"] if counted and row["status"] != "slow" else None,
            row["fps"],
        )
        for row in rows.select(["path", "frames", "fps", "status"]).to_pylist()
    }
    return list(tasks.values())


def _is_copied(paths: pa.ChunkedArray, targets: dict[str, str], journal: Path, how: Copying) -> pa.Array:
    """Whether each video has a copy with these settings, and neither has changed since."""
    copies = _copies(journal)
    found = copies.take(pc.index_in(paths, value_set=copies["path"]).combine_chunks())
    originals = file_states(paths)
    there = file_states(pa.chunked_array([path_array([targets[path] for path in paths.to_pylist()])]))
    same = pc.equal(found["settings"], how.name)
    for column, now in (
        ("source_bytes", originals["bytes"]),
        ("source_mtime_ns", originals["mtime_ns"]),
        ("bytes", there["bytes"]),
        ("mtime_ns", there["mtime_ns"]),
    ):
        same = pc.and_(same, pc.equal(found[column], now))
    return pc.fill_null(same, False)


def _copy(tasks: list[_Task], journal: Path, how: Copying, progress: Callable[[int, int], None]) -> dict[str, str]:
    """Copy videos, and append each copy to the journal. Returns path -> reason for those that failed."""

    def work(process: KillableProcess, task: _Task) -> dict[str, Any] | str:
        # The state before reading: if the video changes meanwhile, the next run copies it again.
        count, changed, status, reason = file_state(task.path)
        found = (reason or status) if status is not None else _copy_one(process, task, how)
        if isinstance(found, dict):
            return {**found, "source_bytes": count, "source_mtime_ns": changed, "settings": how.name}
        return found or ""

    failures: dict[str, str] = {}
    copies = work_through(how.factory, work, tasks, workers=min(how.workers, len(tasks)))
    with Journal(journal) as lines, closing(copies):
        for done, (task, result) in enumerate(copies, 1):
            if isinstance(result, str):
                failures[task.path] = result
            else:
                lines.append({"path": task.path, **result})
            progress(done, len(tasks))
    return failures


def _copy_one(process: KillableProcess, task: _Task, how: Copying) -> dict[str, Any] | str:
    """Write one copy under a temporary name, check it and rename it. Returns its columns, or the reason of failure."""
    path, limit = opened_path(task.path), how.timeout
    try:
        with replacing(task.target, sweep=False) as temporary:  # `_sweep` has looked through all folders
            limit = process.call("time_limit", path, how.timeout, limit=how.timeout)
            report = process.call("copy", path, str(temporary), how.settings, task.fps, limit=limit)
            if report.status != "ok":
                raise VideoDecodeError(task.path, f"its copy is {report.status} ({report.reason})")
            if task.frames not in (None, report.frames):
                raise VideoDecodeError(task.path, f"{report.frames} frames, but the index says {task.frames}")
    except TimeLimitError:
        return f"not copied within {in_seconds(limit)}"
    except ProcessDiedError as error:
        return f"crashed the transcoder ({end_of(error)})"
    except VideoDecodeError as error:
        return error.reason
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # a full disk is no problem of the video
            raise
        return "its name is too long"
    found = os.stat(task.target)
    sizes = {"bytes": found.st_size, "mtime_ns": found.st_mtime_ns}
    return {**report_columns(report), **sizes, "sha256": sha256_of(task.target)}


def _copies_table(catalogue: Catalogue, targets: dict[str, str], journal: Path, failures: dict[str, str]) -> pa.Table:
    """Rows of the index of the copies. A video without a copy is "missing", with the reason."""
    rows = catalogue.table
    why_failed = pa.array([failures.get(path) for path in rows["path"].to_pylist()], pa.string())
    why_unusable = pc.binary_join_element_wise("the original is ", rows["status"], "")
    reason = pc.binary_join_element_wise("not copied: ", pc.if_else(usable(rows), why_failed, why_unusable), "")
    states = pa.table({"status": pc.if_else(pc.is_valid(reason), "missing", None), "reason": reason})
    listed = rows.select([name for name in LISTED.names if name != "start"])
    table = joined(listed, states, _copies(journal), catalogue.facts.min_frames)
    paths = path_array([targets[path] for path in rows["path"].to_pylist()])
    return table.set_column(0, "path", paths).append_column("start", pa.nulls(rows.num_rows, pa.int64()))
