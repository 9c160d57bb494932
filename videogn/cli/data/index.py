"""videogn data index: check every video of a data set and write an index."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from videogn.choices import FRAME_RATE, MIN_FRAMES, TIME_LIMIT
from videogn.system.cores import available_cores
from videogn.system.displayable import one_line
from videogn.system.stopping import going_on

if TYPE_CHECKING:
    from videogn.indexing.building import Built


@dataclass(frozen=True)
class Options:
    """Open every video of a data set and write one row for each to a Parquet file.

    A row holds path, label, split, frames (that decode), fps, duration, width, height, rotation, codec, bytes, status,
    reason and note. Train with --data.train FILE. A run that was interrupted, or is repeated, opens only files that are
    new or changed. Videos are only read.

    Attributes:
        source: Class folders, a data set's root with splits, a list of 'path label' lines, a CSV, the official list of
            a data set, a folder of videos without classes, one video, tar shards, or an index to make anew. A video may
            be a folder of numbered images.
        out (FILE.parquet): Index to write.
        root: Folder of the videos that a CSV or list names. By default the folder of that file.
        columns (ROLE=NAME,...): Columns of a list where it is not clear which is which: path=video_name,label=tag.
        frame_rate: Frames per second of videos that are folders of numbered images.
        timeout (SECONDS): Time limit for one file; a long or large one has more.
        workers: Number of files that are read at once.
        min_frames: Number of frames below which a video is called too short.
        quick: Read packets only: fast, but damaged frames go unseen.
    """

    source: str
    out: str = field(kw_only=True)
    root: str | None = None
    columns: str | None = None
    frame_rate: float = FRAME_RATE
    timeout: float = TIME_LIMIT
    workers: int = field(default_factory=available_cores)
    min_frames: int = MIN_FRAMES
    quick: bool = False


def run(options: Options) -> int:
    """Write the index and print a summary.

    Args:
        options: Options of the command.

    Returns:
        0, also if videos are broken.
    """
    from videogn.cli.data.status_tables import print_late, print_noted, print_unusable, summary_table
    from videogn.cli.plain_console import PlainConsole
    from videogn.cli.progress import bar
    from videogn.data.lists.columns import parse_columns
    from videogn.indexing.building import build_index
    from videogn.indexing.catalogue import files_of
    from videogn.indexing.file_checks import FileChecks

    checks = FileChecks(
        decode=not options.quick,
        timeout=options.timeout,
        workers=options.workers,
        frame_rate=options.frame_rate,
    )
    with going_on("what was checked is kept; the same command goes on"), bar("Checking files") as advance:
        built = build_index(
            options.source,
            options.out,
            checks,
            root=options.root,
            columns=parse_columns(options.columns),
            min_frames=options.min_frames,
            progress=advance,
        )
    console = PlainConsole()
    console.print(summary_table(built.catalogue))
    print_unusable(console, built.catalogue)
    print_noted(console, built.catalogue)
    print_late(console, built.catalogue)
    if built.unlisted:
        console.print(f"unlisted, for instance {one_line(built.unlisted[0])}", soft_wrap=True)
    rest = files_of(built.catalogue.table).num_rows - built.checked
    known = f", {rest:,} known or missing" if rest else ""
    for line in _remarks(options.out, built):
        console.print(one_line(line), soft_wrap=True)
    console.print(f"{one_line(options.out)}: written; {built.checked:,} checked{known}", soft_wrap=True)
    return 0


def _remarks(out: str, built: Built) -> list[str]:
    """What was left out, and what `data show` would say about the index too."""
    from videogn.data.data_layout import find_layout
    from videogn.data.inspection import remarks
    from videogn.data.leaks import find_leaks, videos_of
    from videogn.data.left_out import left_out_table
    from videogn.data.splits import read_sources

    # Of a class that has videos in some split, nothing left out is why it has none in training.
    full = {name for name, counts in built.catalogue.facts.summary["classes"].items() if counts}
    reasons = {name: kinds for name, kinds in built.left_out.items() if name not in full}
    splits = {split: replace(index, left_out=reasons) for split, index in read_sources(find_layout(out)).items()}
    left_out = left_out_table(built.left_out, built.catalogue.facts.classes)
    return [*(f"left out: {line}" for line in left_out), *remarks(splits, find_leaks(videos_of(splits)))]
