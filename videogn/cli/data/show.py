"""videogn data show: count what a source lists."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter

from videogn.cli.parsing import Parser


def parser() -> Parser:
    """Return the parser of the action's arguments."""
    parser = Parser(
        description="Count videos, classes and missing files, and name the hash that results carry; of an index, what "
        "was found in the files, class by class."
    )
    parser.add_argument(
        "source", type=str, help="Class folders, a Kinetics CSV, a list of 'path label' lines or an index (.parquet)."
    )
    parser.add_argument("--root", type=str | None, default=None, help="Where the videos of a CSV or list lie.")
    return parser


def run(options: Namespace) -> int:
    """Print the counts.

    Args:
        options: from `parser`.

    Returns:
        0.

    Raises:
        OSError: the source or the root does not exist.
        ValueError: the source is wrong, or has no root.
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

    index = read_index(source, root=root)
    missing = {record.path for record in index.missing()}
    counts = Counter(record.label for record in index.records)
    lost = Counter(record.label for record in index.records if record.path in missing)
    print(f"{len(index)} videos, {len(index.classes)} classes, {len(missing)} missing")  # noqa: T201
    print(f"sha256 {index.fingerprint()}")  # noqa: T201
    for number, name in enumerate(index.classes):
        gone = f"  ({lost[number]} missing)" if lost[number] else ""
        print(f"{counts[number]:8d}  {name}{gone}")  # noqa: T201


def _show_index(path: str) -> None:
    from rich.console import Console

    from videogn.cli.data.status_tables import status_table, summary_table
    from videogn.indexing.catalogue import read_catalogue

    catalogue = read_catalogue(path)
    console = Console()
    console.print(summary_table(catalogue))
    for title, counts in (("split", catalogue.facts.summary["splits"]), ("class", catalogue.facts.summary["classes"])):
        if counts:
            console.print(status_table(title, counts))
