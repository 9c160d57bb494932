"""videogn data split: lists of training, validation and test videos of a data set that has none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from videogn.system.displayable import one_line
from videogn.system.stopping import going_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videogn.data.split_lists import Divided
    from videogn.data.video_index import VideoIndex

#: Number of videos up to which they are compared unasked.
_COMPARED = 20_000
_COMPARE = "videogn data show {} --near-duplicates"


@dataclass(frozen=True)
class Options:
    """Divide the videos of a data set into training, validation and test videos, class by class.

    Writes train.csv, val.csv and test.csv; no video is moved. What belongs together stays on one side: videos of one
    group (--by), parts of one video, files of the same bytes. Prints what was reached, and which videos of different
    sides look alike.

    Attributes:
        source: Folder of class folders, a list of 'path label' lines, a CSV, or an index (.parquet) without splits.
        by (FOLDER|COLUMN|PATTERN): What makes a group, such as a person or a source: folder (the one that a video lies
            in below its class), a column of the list or index, or a regular expression with one group in parentheses
            that is searched for in the path, such as '(s[0-9]+)_'.
        val (SHARE): Share of each class for validation.
        test (SHARE): Share of each class for testing; 0 for none, so that validation videos are the test videos too.
        seed: Seed of the choice among groups of equal size.
        output (FOLDER): Folder to write the lists to. By default that of the data set or list.
        overwrite: Replace lists that exist.
        near_duplicates: What becomes of videos that look alike, such as copies of another size or quality: warn names
            those of different sides, together makes groups of them, off does not look.
        root: Folder of the videos that a CSV or list names. By default the folder of that file.
        columns (ROLE=NAME,...): Columns of a list where it is not clear which is which: path=video_name,label=tag.
    """

    source: str
    by: str | None = None
    val: float = 0.15
    test: float = 0.15
    seed: int = 0
    output: str | None = None
    overwrite: bool = False
    near_duplicates: Literal["warn", "together", "off"] = "warn"
    root: str | None = None
    columns: str | None = None


def run(options: Options) -> int:
    """Write the lists and print what was reached.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        OSError: If the source or the root does not exist, or a list cannot be written.
        ValueError: If the source is divided already, a list exists, or an option is wrong.
    """
    from videogn.checks import expanded
    from videogn.cli.data.near_duplicates import near_duplicates_of
    from videogn.data.groups import group_names
    from videogn.data.lists.columns import parse_columns
    from videogn.data.split_lists import SPLITS, check_new, divide, read_undivided, usable_part, write_splits
    from videogn.system.destination import check_folder

    shares = _shares(options)
    columns = parse_columns(options.columns)
    source = expanded(options.source)
    folder = expanded(options.output) if options.output else source if source.is_dir() else source.parent
    check_folder(folder)
    index, read_from = read_undivided(options.source, options.root, columns)
    check_new(folder, overwrite=options.overwrite)
    names = None if options.by is None else group_names(index, read_from, options.by, columns)
    index, kept, left_out = usable_part(index)
    names = names and [names[place] for place in kept]
    pairs = []
    if options.near_duplicates == "together":
        lines, found = near_duplicates_of({"": index})
        pairs = [(pair.first, pair.second) for pair in found]
        print("\n".join(map(one_line, lines or ["no two videos look alike"])))
    divided = divide(index, shares, seed=options.seed, names=names, pairs=pairs)
    how = write_splits(folder, index, divided.sides, names)
    for line in [left_out, *_table(index, divided, shares), *_remarks(index, divided, options)]:
        if line:
            print(one_line(line))
    if options.near_duplicates == "warn":
        places = [(divided.sides == side).nonzero()[0] for side in range(len(shares))]
        parts = [replace(index, records=index.records.take(rows)) for rows in places]
        with going_on(f"the lists are written; `{_COMPARE.format(folder)}` compares their videos"):
            print("\n".join(map(one_line, _alike(dict(zip(SPLITS, parts, strict=False)), folder))))
    print(one_line(f"{folder}: lists written; train on them with `videogn fit --config my_videos {how}`"))
    return 0


def _shares(options: Options) -> list[float]:
    """The shares of train, val and perhaps test."""
    if not 0 < options.val < 1:
        raise ValueError(f"--val must lie between 0 and 1, got {options.val:g}")
    if not 0 <= options.test < 1 - options.val:
        raise ValueError(f"--test must lie between 0 and 1 - --val = {1 - options.val:g}, got {options.test:g}")
    held = [options.val, options.test] if options.test else [options.val]
    return [1 - sum(held), *held]


def _table(index: VideoIndex, divided: Divided, shares: Sequence[float]) -> list[str]:
    """Videos of each class and split, in the form of `data show`, and the shares that were reached."""
    from videogn.data.split_lists import SPLITS

    names = [*index.classes, "all"]
    rows = ["".join(f"{count:8d}" for count in counts) for counts in divided.counts.T]
    total = divided.counts[:, -1].sum()
    reached = "".join(f"{100 * count / total:7.1f}%" for count in divided.counts[:, -1])
    wanted = ", ".join(f"{100 * share:g}" for share in shares)
    heading = "".join(f"{split:>8}" for split in SPLITS[: len(shares)]) + "  class"
    return [heading, *(f"{row}  {name}" for row, name in zip(rows, names, strict=True)), f"{reached}  wanted: {wanted}"]


def _remarks(index: VideoIndex, divided: Divided, options: Options) -> list[str]:
    """Classes that a split lacks, the number of groups, and groups that file names suggest."""
    from videogn.data.groups import suggested_pattern
    from videogn.data.split_lists import SPLITS
    from videogn.system.sizes import counted

    lines = []
    if options.by is not None:
        lines.append(f"{counted(int(divided.groups.max()) + 1, 'group')} by {options.by!r}, each on one side")
    elif (pattern := suggested_pattern(index)) is not None:
        lines.append(
            f"the names of these videos look like clips of longer ones: --by {pattern!r} keeps those of one on one side"
        )
    for split, counts in zip(SPLITS, divided.counts[:, :-1], strict=False):
        absent = [number for number, count in enumerate(counts) if not count and divided.groups_of_class[number]]
        if absent:
            number = absent[0]
            example = f"{index.classes[number]}, of {counted(int(divided.groups_of_class[number]), 'group')}"
            lines.append(f"{counted(len(absent), 'class')} without a {split} video, for instance {example}")
    return lines


def _alike(splits: dict[str, VideoIndex], folder: object) -> list[str]:
    """What is said of videos of different splits that look alike."""
    from videogn.cli.data.near_duplicates import near_duplicates_of

    if sum(map(len, splits.values())) > _COMPARED:
        return [f"not compared, above {_COMPARED:,} videos: `{_COMPARE.format(folder)}` does"]
    lines, pairs = near_duplicates_of(splits)
    if pairs:
        lines.append("--near-duplicates together keeps them on one side")
    return lines or ["no two videos of different splits look alike"]
