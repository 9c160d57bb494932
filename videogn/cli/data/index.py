"""videogn data index: check every video of a data set and write an index."""

from __future__ import annotations

from argparse import Namespace

from videogn.cli.parsing import Parser
from videogn.system.cores import available_cores
from videogn.system.files import displayable


def parser() -> Parser:
    """Return the parser of the action's arguments."""
    parser = Parser(
        description="Check every video that a source lists and write one row for each to a Parquet file: path, "
        "label, split, frames (that decode), fps, duration, width, height, rotation, codec, bytes, status, reason. "
        "Train with --data.train FILE. A run that was interrupted, or is repeated, checks only what is new or changed. "
        "Videos are only read."
    )
    parser.add_argument(
        "source",
        type=str,
        help="Class folders, a data set's root with splits, a Kinetics CSV, a list of 'path label' lines, a folder of "
        "videos without classes, one video, tar shards, or an index to make anew.",
    )
    parser.add_argument("--out", type=str, required=True, help="The index, a file ending in .parquet.")
    parser.add_argument("--root", type=str | None, default=None, help="Where the videos of a CSV or list lie.")
    parser.add_argument("--timeout", type=float, default=60.0, help="Seconds that one file may take.")
    parser.add_argument("--workers", type=int, default=available_cores(), help="Files at once.")
    parser.add_argument("--min-frames", type=int, default=8, help="Videos with fewer frames are called too short.")
    parser.add_argument("--quick", action="store_true", help="Read packets only: fast, but damaged frames go unseen.")
    return parser


def run(options: Namespace) -> int:
    """Write the index and print what was found.

    Args:
        options: from `parser`.

    Returns:
        0, also where videos are broken.
    """
    from rich.console import Console
    from rich.markup import escape

    from videogn.cli.data.status_tables import summary_table
    from videogn.cli.progress import bar
    from videogn.indexing.building import build_index
    from videogn.indexing.file_checks import FileChecks

    checks = FileChecks(decode=not options.quick, timeout=options.timeout, workers=options.workers)
    with bar("Checking files") as advance:
        built = build_index(
            options.source,
            options.out,
            checks,
            root=options.root,
            min_frames=options.min_frames,
            progress=advance,
        )
    console = Console()
    console.print(summary_table(built.catalogue))
    if built.unlisted:
        console.print(f"unlisted, for instance {escape(displayable(built.unlisted[0]))}", soft_wrap=True)
    rest = built.catalogue.table.num_rows - built.checked
    known = f", {rest:,} known or not there" if rest else ""
    console.print(f"{escape(options.out)}: written; {built.checked:,} checked{known}", soft_wrap=True, highlight=False)
    return 0
