"""videogn data check: whether the videos are still what an index says."""

from __future__ import annotations

from argparse import Namespace
from collections import Counter
from typing import TYPE_CHECKING

from videogn.cli.parsing import Parser
from videogn.system.cores import available_cores

if TYPE_CHECKING:
    from rich.table import Table

    from videogn.indexing.index_check import Difference

#: Differences that are printed one by one.
_SHOWN = 20


def parser() -> Parser:
    """Return the parser of the action's arguments."""
    parser = Parser(
        description="Look at every video of an index again and print what differs: gone, found, other bytes, "
        "frames, size, codec or status, and whether the videos that no row lists are the same. "
        "The index is not changed. Exits with 0 when all is as the index says, else 1."
    )
    parser.add_argument("index", type=str, help="A Parquet file that `videogn data index` wrote.")
    parser.add_argument("--timeout", type=float, default=60.0, help="Seconds that one file may take.")
    parser.add_argument("--workers", type=int, default=available_cores(), help="Files at once.")
    parser.add_argument("--quick", action="store_true", help="Compare sizes and times of change only; open nothing.")
    return parser


def run(options: Namespace) -> int:
    """Print what differs.

    Args:
        options: from `parser`.

    Returns:
        0 when nothing does, else 1.
    """
    from rich.console import Console

    from videogn.cli.progress import bar
    from videogn.indexing.index_check import check_index

    with bar("Checking") as advance:
        checked = check_index(
            options.index,
            timeout=options.timeout,
            workers=options.workers,
            quick=options.quick,
            progress=advance,
        )
    console = Console()
    if not checked.differences:
        console.print(f"{checked.videos:,} videos, all as the index says", highlight=False)
        return 0
    console.print(_table(checked.differences[:_SHOWN]))
    if (more := len(checked.differences) - _SHOWN) > 0:
        console.print(f"and {more:,} more", highlight=False)
    kinds = Counter(difference.kind for difference in checked.differences)
    console.print(
        f"{checked.videos:,} videos in the index; differences: "
        + ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common()),
        highlight=False,
        soft_wrap=True,
    )
    console.print("To update the index, run the `videogn data index` that made it again.", soft_wrap=True)
    return 1


def _table(differences: list[Difference]) -> Table:
    from rich.markup import escape
    from rich.table import Column, Table

    folded = [Column(name, overflow="fold") for name in ("video", "what", "index", "disk")]
    table = Table(*folded)
    for difference in differences:
        table.add_row(*map(escape, difference))
    return table
