"""videogn data show: the videos that a source lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from videogn.system.displayable import one_line

if TYPE_CHECKING:
    from videogn.data.video_index import VideoIndex


@dataclass(frozen=True)
class Options:
    """Count the videos, classes and missing files of a source.

    For folders and lists it also prints the hash that results carry, and what is left out; for an index, the counts by
    status, split and class, and the first videos that are not usable. Classes without a video, and videos that are
    listed or stored twice, are named.

    Attributes:
        source: What --data.root or --data.train take: a data set's root, class folders, a list of 'path label' lines, a
            CSV, the official list of a data set, tar shards, or an index (.parquet); or a folder of videos without
            classes.
        root: Folder of the videos that a CSV or list names. By default the folder of that file.
        columns (ROLE=NAME,...): Columns of a list where it is not clear which is which: path=video_name,label=tag.
        near_duplicates: Decode some frames of each video too, and name the pairs of different splits that look alike,
            such as copies of another size or quality; without splits, all pairs that do.
    """

    source: str
    root: str | None = None
    columns: str | None = None
    near_duplicates: bool = False


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
    from videogn.data.data_layout import find_layout
    from videogn.data.file_hash import with_contents
    from videogn.data.inspection import remarks
    from videogn.data.leaks import find_leaks, videos_of
    from videogn.data.lists.columns import parse_columns
    from videogn.data.sources import check_root
    from videogn.data.splits import read_sources

    check_root(options.source, options.root)
    layout = find_layout(options.source)
    found = read_sources(layout, options.root, parse_columns(options.columns))
    splits = {split: index.asked() for split, index in found.items()}
    videos = videos_of(splits)
    if layout.kind == "index":
        index = next(iter(layout.sources.values()))
        if index != options.source:
            print(one_line(index))
        _show_index(index)
    else:
        _show_splits(splits)
        videos = with_contents(videos)
    for line in remarks(splits, find_leaks(videos)):
        print(one_line(line))
    if options.near_duplicates:
        print("\n".join(map(one_line, _near_duplicates(splits))))
    return 0


def _near_duplicates(splits: Mapping[str, VideoIndex]) -> list[str]:
    """What is said of videos that look alike; validation videos that are the test videos too are compared once."""
    from videogn.cli.data.near_duplicates import near_duplicates_of

    once = {split: index for split, index in splits.items() if split != "test" or index is not splits.get("val")}
    return near_duplicates_of(once)[0] or ["no near-duplicates"]


def _show_splits(splits: Mapping[str, VideoIndex]) -> None:
    """Print the totals of each split, its videos by class, and what is left out."""
    from videogn.data.left_out import joined_left_out, left_out_table
    from videogn.indexing.listing import joined_classes

    classes = joined_classes(splits)
    columns = {split: _by_class(split, index) for split, index in splits.items()}
    if len(splits) > 1:
        print("".join(f"{split:>8}" for split in splits) + "  class")
    for name in classes:
        counts = [column.get(name, column.get(name.replace("_", " "), (0, 0))) for column in columns.values()]
        missing = sum(absent for _, absent in counts)
        lost = f"  ({missing} missing)" if missing else ""
        print("".join(f"{count:8d}" for count, _ in counts) + f"  {one_line(name)}{lost}")
    if lines := left_out_table(joined_left_out(index.left_out for index in splits.values()), classes):
        print("left out:")
        print("\n".join(f"  {one_line(line)}" for line in lines))


def _by_class(split: str, index: VideoIndex) -> dict[str, tuple[int, int]]:
    """Print the totals of a split; returns class, also with blanks for "_" -> number of videos, and of missing ones."""
    from videogn.data.records import Records
    from videogn.system.displayable import displayable
    from videogn.system.sizes import counted

    lost = replace(index, records=Records.of(index.missing()))
    missing, counts = lost.counts().tolist(), index.counts().tolist()
    rows = counted(len(index), "video")
    if (videos := len(index.records.table["path"].unique())) < len(index) and index.has_segments():
        rows = f"{counted(len(index), 'part')} of {counted(videos, 'video')}"
    totals = f"{rows}, {counted(len(index.classes), 'class')}, {len(lost)} missing"
    print(f"{split}: {totals}" if split else totals)
    print(f"sha256 {index.fingerprint()}")
    found = {displayable(name): (counts[number], missing[number]) for number, name in enumerate(index.classes)}
    return {name.replace("_", " "): numbers for name, numbers in found.items()} | found


def _show_index(path: str) -> None:
    from videogn.cli.data.status_tables import print_late, print_noted, print_unusable, status_table, summary_table
    from videogn.cli.plain_console import PlainConsole
    from videogn.indexing.catalogue import read_catalogue

    catalogue = read_catalogue(path)
    console = PlainConsole()
    console.print(summary_table(catalogue))
    print_unusable(console, catalogue)
    print_noted(console, catalogue)
    print_late(console, catalogue)
    for title, counts in (("split", catalogue.facts.summary["splits"]), ("class", catalogue.facts.summary["classes"])):
        if counts:
            console.print(status_table(title, counts))
