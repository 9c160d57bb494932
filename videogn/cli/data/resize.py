"""videogn data resize: small copies of an index's videos that are cheaper to read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from videogn.choices import NetworkInput
from videogn.system.cores import available_cores
from videogn.system.displayable import one_line
from videogn.system.stopping import going_on

if TYPE_CHECKING:
    from rich.table import Table

    from videogn.indexing.resizing import Resized

#: Number of failures that are printed one by one; the index lists all.
_SHOWN = 20


@dataclass(frozen=True)
class Options:
    """Copy every usable video of an index as H.264 in mp4, small and with close key frames.

    Copies are upright and without sound, frame for frame and at the same times. Small videos are copied too, in their
    own size, because close key frames save most. Train on the copies with --data.train OUT/index.parquet. A run that
    was interrupted, or is repeated, copies only files that are missing or whose original changed. Originals are only
    read. The exit status is 1 if a video could not be copied.

    Attributes:
        index: Parquet file that `videogn data index` wrote.
        out: Folder for the copies: new, empty, or of an earlier run.
        short_side: Shorter side of the copies, in pixels. Smaller videos are not enlarged.
        workers: Number of videos that are copied at once.
        crf: Quality of x264; a smaller number is better and takes more bytes.
        gop: Number of frames from one key frame to the next.
        timeout (SECONDS): Time limit for one video; a long or large one has more.
    """

    index: str
    out: str
    short_side: int = NetworkInput.short_side
    workers: int = field(default_factory=available_cores)
    crf: int = 18
    gop: int = 12
    timeout: float = 600.0


def run(options: Options) -> int:
    """Copy the videos and print a summary.

    Args:
        options: Options of the command.

    Returns:
        0, or 1 if a usable video could not be copied.
    """
    from videogn.cli.data.status_tables import print_first
    from videogn.cli.plain_console import PlainConsole
    from videogn.cli.progress import bar
    from videogn.indexing.resizing import INDEX, Copying, resize_index
    from videogn.video.transcode import CopySettings

    settings = CopySettings(short_side=options.short_side, crf=options.crf, gop=options.gop)
    copying = Copying(settings=settings, timeout=options.timeout, workers=options.workers)
    with going_on("what was copied is kept; the same command goes on"), bar("Copying") as advance:
        resized = resize_index(options.index, options.out, copying, advance)
    console = PlainConsole()
    console.print(summary_table(resized))
    failures = list(resized.failures.items())
    print_first(console, ("failed", "reason"), failures[:_SHOWN], len(failures), "; the index lists all")
    console.print(f"{one_line(options.out)}/{INDEX}: written", soft_wrap=True)
    return 1 if resized.failures else 0


def summary_table(resized: Resized) -> Table:
    """Count the videos that were copied, kept and lost, and their bytes.

    Args:
        resized: Outcome of a run.

    Returns:
        The table.
    """
    from rich.table import Column, Table

    from videogn.system.sizes import format_size

    table = Table("", Column("videos", justify="right"), Column("", overflow="fold"))
    videos = len(resized.catalogue.table["path"].unique())  # one may be listed twice
    unusable = videos - resized.copied - resized.kept - len(resized.failures)
    table.add_row("copied", f"{resized.copied:,}", "")
    table.add_row("kept", f"{resized.kept:,}", "copied before, unchanged since")
    table.add_row("failed", f"{len(resized.failures):,}", "", style="red" if resized.failures else "dim")
    table.add_row("unusable", f"{unusable:,}", "missing or broken, as the index says", style="" if unusable else "dim")
    before, after = resized.bytes_before, resized.bytes_after
    share = f" ({after / before:.0%})" if before else ""
    table.add_row("bytes", "", f"{format_size(before)} before, {format_size(after)} after{share}", style="bold")
    return table
