"""`videogn data index`: from a source to a Parquet index; a repeated run continues an interrupted one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from videogn.checks import expanded, require_at_least
from videogn.choices import MIN_FRAMES
from videogn.data.left_out import LeftOut
from videogn.data.stored_paths import stored_path
from videogn.indexing.catalogue import Catalogue, Facts, read_catalogue, summarise, write_catalogue
from videogn.indexing.file_checks import FileChecks, check_files, joined, known_results, stale_paths
from videogn.indexing.file_states import file_states
from videogn.indexing.listing import Listing, names_hash, read_listing, unlisted_videos
from videogn.system.destination import check_file
from videogn.system.exclusive import only_writer
from videogn.system.files import make_folder


@dataclass(frozen=True)
class Built:
    """Result of building an index.

    Attributes:
        catalogue: The index as written.
        unlisted: Videos on disk that no row lists.
        checked: Number of files checked; the others were known, or there was nothing to check.
        left_out: Files in class folders that are not read, by folder.
    """

    catalogue: Catalogue
    unlisted: list[str]
    checked: int
    left_out: LeftOut


def build_index(
    source: str,
    out: str | Path,
    checks: FileChecks,
    *,
    root: str | None = None,
    columns: Mapping[str, str] | None = None,
    min_frames: int = MIN_FRAMES,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Built:
    """List the videos of a source, check the files that are new or changed, and write the index.

    Each result goes to a journal beside the index at once. The journal is removed when the index is in place.

    Args:
        source: Source of videos; see `videogn.indexing.listing.read_listing`.
        out: Index to write, ending in .parquet. Results of an index that exists already are used.
        checks: Settings of the file checks.
        root: Folder with the videos of a CSV or list. Default: that of the CSV or list.
        columns: Role -> name of a column of a list; see `videogn.data.lists.columns`. Default: as the list says.
        min_frames: Least number of frames; a video with fewer is "short". Default: 8.
        progress: Called with (files checked, files to check).

    Returns:
        The index, and counts.

    Raises:
        OSError: If a source does not exist, or `out` cannot be written.
        ValueError: If the source is wrong, `out` is something else, or another process is writing it.
    """
    require_at_least("min_frames", min_frames, 1)
    out = checked_out(out)
    listing = read_listing(source, root, columns)
    with writing(out):
        table, checked = _rows(listing, out, checks, min_frames, progress)
        unlisted = [] if listing.searched is None else unlisted_videos(listing.searched, listing.table)
        facts = Facts(
            root=stored_path(listing.root),
            classes=listing.classes,
            source=stored_path(str(source)),
            searched=None if listing.searched is None else stored_path(listing.searched),
            decode=checks.decode,
            timeout=checks.timeout,
            min_frames=min_frames,
            unlisted=None if listing.searched is None else names_hash(unlisted, listing.searched),
            summary=summarise(table, listing.classes, len(unlisted)),
        )
        catalogue = Catalogue(table, facts)
        write_catalogue(out, catalogue)
        _journal(out).unlink(missing_ok=True)
    return Built(catalogue, unlisted, checked, listing.left_out)


def checked_out(out: str | Path) -> Path:
    """Return the path of an index to write. A file that is no index is not replaced.

    Raises:
        ValueError: If the path is a folder, has another suffix, or is a file that is no index.
    """
    out = expanded(out)
    if out.is_dir() or out.suffix.lower() != ".parquet":
        raise ValueError(f"an index is a file whose name ends in .parquet, got {out}")
    if check_file(out).through:
        raise ValueError(f"an index is a file, which later runs go on with, and {out} is a device or pipe")
    if out.exists():
        read_catalogue(out)
    return out


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Lock a file for writing. The system releases the lock when the process ends, even if it is killed.

    Raises:
        ValueError: If another process holds the lock.
        OSError: If the folder cannot be written.
    """
    make_folder(out.parent, of=out)
    with only_writer(out, out.with_name(f".{out.name}.lock")):
        yield


def _journal(out: Path) -> Path:
    return out.with_name(out.name + ".journal")


def _rows(
    listing: Listing, out: Path, checks: FileChecks, min_frames: int, progress: Callable[[int, int], None]
) -> tuple[pa.Table, int]:
    """Rows of the index, and the number of files checked for them."""
    before = read_catalogue(out) if out.exists() else None
    table, facts = (None, None) if before is None else (before.table, before.facts)
    paths = listing.table["path"]
    states = file_states(paths)
    known = known_results(table, facts, _journal(out), checks)
    stale = stale_paths(paths, states, known)
    # Even if there is nothing to check: a folder that cannot be written is reported now.
    check_files(stale, checks, _journal(out), progress)
    if len(stale):
        known = known_results(table, facts, _journal(out), checks)
    return joined(listing.table, states, known, min_frames), len(stale)
