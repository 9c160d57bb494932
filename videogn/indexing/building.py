"""`videogn data index`: from a source to a Parquet index, going on where an earlier run stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from filelock import FileLock, Timeout

from videogn.data.stored_paths import stored_path
from videogn.indexing.catalogue import Catalogue, Facts, read_catalogue, summarise, write_catalogue
from videogn.indexing.file_states import file_states
from videogn.indexing.findings import Probe, joined, known_results, probe_files, stale_paths
from videogn.indexing.listing import Listing, names_hash, read_listing, unlisted_videos

#: Frames of the shortest clips in use.
SHORTEST_CLIP = 8


@dataclass(frozen=True)
class Built:
    """What building an index did.

    Attributes:
        catalogue: the index as it was written.
        unlisted: videos on disk that no row lists.
        probed: how many files were opened; the others were known or there was nothing to open.
    """

    catalogue: Catalogue
    unlisted: list[str]
    probed: int


def build_index(
    source: str,
    out: str | Path,
    probe: Probe,
    *,
    root: str | None = None,
    min_frames: int = SHORTEST_CLIP,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Built:
    """List a source's videos, look into the files that are new or changed, and write the index.

    What is found is written at once to a journal beside the index, which goes when the index is in place.

    Args:
        source: see `videogn.indexing.listing.read_listing`.
        out: the index, ending in .parquet; one that is there already tells what is known.
        probe: how to look into a file.
        root: where the videos of a CSV or list lie.
        min_frames: a video with fewer frames is "short".
        progress: called with (files looked into, files to look into).

    Returns:
        What was found.

    Raises:
        OSError: a source does not exist, or `out` cannot be written.
        ValueError: the source is wrong, `out` is something else, or another process is writing it.
    """
    if min_frames < 1:
        raise ValueError(f"min_frames must be at least 1, got {min_frames}")
    out = checked_out(out)
    listing = read_listing(source, root)
    with writing(out):
        table, probed = _probe(listing, out, probe, min_frames, progress)
        unlisted = [] if listing.searched is None else unlisted_videos(listing.searched, listing.table)
        facts = Facts(
            root=stored_path(listing.root),
            classes=listing.classes,
            source=stored_path(str(source)),
            searched=None if listing.searched is None else stored_path(listing.searched),
            decode=probe.decode,
            timeout=probe.timeout,
            min_frames=min_frames,
            unlisted=None if listing.searched is None else names_hash(unlisted, listing.searched),
            summary=summarise(table, listing.classes, len(unlisted)),
        )
        catalogue = Catalogue(table, facts)
        write_catalogue(out, catalogue)
        _journal(out).unlink(missing_ok=True)
    return Built(catalogue, unlisted, probed)


def checked_out(out: str | Path) -> Path:
    """Return the path of an index to write, if it is fit for one; a file that is no index is not replaced.

    Raises:
        ValueError: a folder, another suffix, or a file that is no index.
    """
    out = Path(out).expanduser()
    if out.is_dir() or out.suffix.lower() != ".parquet":
        raise ValueError(f"an index is a file whose name ends in .parquet, got {out}")
    if out.exists():
        read_catalogue(out)
    return out


@contextmanager
def writing(out: Path) -> Iterator[None]:
    """Hold the right to write a file; the system gives it back when the process ends, however it ends.

    Raises:
        ValueError: another process holds it.
        OSError: the folder cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    name = out.with_name(f".{out.name}.lock")
    name.touch()  # says better than the lock why a folder cannot be written
    lock = FileLock(name, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise ValueError(f"another videogn is writing {out}; wait for it, or name another file") from error
    try:
        yield
    finally:
        lock.release()


def _journal(out: Path) -> Path:
    return out.with_name(out.name + ".journal")


def _probe(
    listing: Listing, out: Path, probe: Probe, min_frames: int, progress: Callable[[int, int], None]
) -> tuple[pa.Table, int]:
    """Rows of the index, and how many files were opened for them."""
    before = read_catalogue(out) if out.exists() else None
    table, facts = (None, None) if before is None else (before.table, before.facts)
    paths = listing.table["path"]
    states = file_states(paths)
    known = known_results(table, facts, _journal(out), probe)
    stale = stale_paths(paths, states, known)
    # Also where there is nothing to do: an unwritable folder is said now.
    probe_files(stale, probe, _journal(out), progress)
    if len(stale):
        known = known_results(table, facts, _journal(out), probe)
    return joined(listing.table, states, known, min_frames), len(stale)
