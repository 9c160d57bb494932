"""videogn data show: the videos that a source lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True)
class Options:
    """Count the videos, classes and missing files of a source.

    For folders and lists it also prints the hash that results carry; for an index, the counts by status, split and
    class, and the first videos that are not usable.

    Attributes:
        source: Class folders, a Kinetics CSV, a list of 'path label' lines or an index (.parquet).
        root: Folder of the videos that a CSV or list names. By default the folder of that file.
    """

    source: str
    root: str | None = None


def run(options: Options) -> int:
    """Print the counts.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        OSError: If the source or the root does not exist.
        ValueError: If the source is not a list of videos, or has no root.
    """
    from videogn.data.sources import check_root

    check_root(options.source, options.root)
    if options.source.lower().endswith(".parquet"):
        _show_index(options.source)
    else:
        _show_source(options.source, options.root)
    return 0


def _show_source(source: str, root: str | None) -> None:
    from videogn.data.sources import read_index
    from videogn.system.sizes import counted

    index = read_index(source, root=root)
    missing = {record.path for record in index.missing()}
    counts = Counter(record.label for record in index.records)
    lost = Counter(record.label for record in index.records if record.path in missing)
    print(f"{counted(len(index), 'video')}, {counted(len(index.classes), 'class')}, {len(missing)} missing")
    print(f"sha256 {index.fingerprint()}")
    for number, name in enumerate(index.classes):
        print(f"{counts[number]:8d}  {name}" + (f"  ({lost[number]} missing)" if lost[number] else ""))


def _show_index(path: str) -> None:
    from rich.console import Console

    from videogn.cli.data.status_tables import print_noted, print_unusable, status_table, summary_table
    from videogn.indexing.catalogue import read_catalogue

    catalogue = read_catalogue(path)
    console = Console()
    console.print(summary_table(catalogue))
    print_unusable(console, catalogue)
    print_noted(console, catalogue)
    for title, counts in (("split", catalogue.facts.summary["splits"]), ("class", catalogue.facts.summary["classes"])):
        if counts:
            console.print(status_table(title, counts))
