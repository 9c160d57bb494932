"""videogn data resize: small copies of an index's videos that are cheaper to read."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from videogn.cli.parsing import Parser
from videogn.system.cores import available_cores

if TYPE_CHECKING:
    from rich.table import Table

    from videogn.indexing.resizing import Resized

#: Failures that are printed one by one; the index lists all.
_SHOWN = 20


def parser() -> Parser:
    """Return the parser of the action's arguments."""
    parser = Parser(
        description="Copy every usable video of an index as H.264 in mp4: smaller, with close key frames, upright, "
        "without sound, frame for frame and at the same times. Videos that are small already are copied too, in their "
        "own size, because close key frames save most. Train on the copies with --data.train OUT/index.parquet. A run "
        "that was interrupted, or is repeated, copies only what is missing or whose original changed. Originals are "
        "only read."
    )
    parser.add_argument("index", type=str, help="A Parquet file that `videogn data index` wrote.")
    parser.add_argument("out", type=str, help="The folder of the copies: new, empty, or of an earlier run.")
    parser.add_argument("--short-side", type=int, default=256, help="Pixels of the shorter side; never enlarged.")
    parser.add_argument("--workers", type=int, default=available_cores(), help="Videos at once.")
    parser.add_argument("--crf", type=int, default=18, help="Quality of x264: smaller is better and takes more bytes.")
    parser.add_argument("--gop", type=int, default=12, help="Frames from one key frame to the next.")
    parser.add_argument("--timeout", type=float, default=600.0, help="Seconds that one video may take.")
    return parser


def run(options: Namespace) -> int:
    """Copy the videos and print what was done.

    Args:
        options: from `parser`.

    Returns:
        0, or 1 when a usable video could not be copied.
    """
    from rich.console import Console
    from rich.markup import escape

    from videogn.cli.progress import bar
    from videogn.indexing.resizing import INDEX, Copying, resize_index
    from videogn.video.transcode import CopySettings

    settings = CopySettings(short_side=options.short_side, crf=options.crf, gop=options.gop)
    how = Copying(settings=settings, timeout=options.timeout, workers=options.workers)
    with bar("Copying") as advance:
        resized = resize_index(options.index, options.out, how, advance)
    console = Console()
    console.print(_summary(resized))
    for path, reason in list(resized.failures.items())[:_SHOWN]:
        console.print(f"[red]{escape(path)}: {escape(reason)}[/red]", soft_wrap=True, highlight=False)
    if (more := len(resized.failures) - _SHOWN) > 0:
        console.print(f"and {more:,} more failures; the index lists them", highlight=False)
    console.print(f"{escape(options.out)}/{INDEX}: written", soft_wrap=True, highlight=False)
    return 1 if resized.failures else 0


def _summary(resized: Resized) -> Table:
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
