"""videogn data check: the videos on disk compared with an index."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from videogn.choices import TIME_LIMIT
from videogn.system.cores import available_cores
from videogn.system.sizes import counted

#: Number of differences that are printed one by one.
_SHOWN = 20
#: Differences in what was found in the files; of files that have not changed, an index keeps it.
_OF_CONTENTS = frozenset({"status", "frames", "width", "height", "rotation", "codec"})


@dataclass(frozen=True)
class Options:
    """Look at every video of an index again and print the differences.

    A video may be gone or found again, or differ in its bytes, frames, size, codec or status; the videos on disk that
    no row lists are compared too. The index is not changed. The exit status is 0 if all is as the index says, else 1.

    Attributes:
        index: Parquet file that `videogn data index` wrote.
        timeout (SECONDS): Time limit for one file; a long or large one has more.
        workers: Number of files that are read at once.
        quick: Compare only sizes and modification times; open no file.
    """

    index: str
    timeout: float = TIME_LIMIT
    workers: int = field(default_factory=available_cores)
    quick: bool = False


def run(options: Options) -> int:
    """Print the differences.

    Args:
        options: Options of the command.

    Returns:
        0 if there are none, else 1.
    """
    from videogn.cli.data.status_tables import print_first
    from videogn.cli.plain_console import PlainConsole
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
    console = PlainConsole(soft_wrap=True)
    noted = f" ({checked.noted:,} with a note)" if checked.noted else ""
    if not checked.differences:
        console.print(f"{counted(checked.videos, 'video')}, all as the index says{noted}")
        return 0
    headings = ("video", "what", "index", "disk")
    print_first(console, headings, checked.differences[:_SHOWN], len(checked.differences))
    kinds = Counter(difference.kind for difference in checked.differences)
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    console.print(f"{counted(checked.videos, 'video')} in the index{noted}; differences: {counts}")
    console.print("To update the index, run the `videogn data index` that made it again.")
    if _OF_CONTENTS & kinds.keys():
        console.print("It keeps the rows of unchanged files; to check those again too, delete the index first.")
    return 1
