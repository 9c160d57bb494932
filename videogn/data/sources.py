"""`read_index`: a source of any layout to a table of videos. No video is opened.

Each layout has one reader: `read_class_folders` in class_folders.py, `read_list` in lists/ with the official lists of
data sets, `read_shards` in shards.py, `read_parquet` in parquet_index.py. A new layout is a function that returns
`Row`s, and a line of `read_index`. The meaning of a label is decided once, in labels.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from videogn.checks import existing_path, expanded_text
from videogn.data.archives import refuse_archive
from videogn.data.class_folders import read_class_folders
from videogn.data.labels import check_same_start, class_names, known_spelling, number_labels
from videogn.data.layouts import LAYOUTS, Row
from videogn.data.lists.list_sources import is_list
from videogn.data.lists.listed import Listed, of_split
from videogn.data.parquet_index import SUFFIX as PARQUET_SUFFIX
from videogn.data.parquet_index import read_parquet
from videogn.data.records import Records
from videogn.data.shards import find_shards, is_shards, read_shards, shards_root
from videogn.data.stored_paths import opened_path
from videogn.data.video_files import VIDEO_SUFFIXES
from videogn.data.video_index import VideoIndex
from videogn.data.windows_paths import with_slashes


def read_index(
    source: str | Path,
    *,
    root: str | Path | None = None,
    classes: Sequence[str] | None = None,
    split: str | None = None,
    use_truncated: bool = False,
    columns: Mapping[str, str] | None = None,
    aliases: Mapping[str, str] | None = None,
) -> VideoIndex:
    """Read the table of videos of a data set in any layout.

    Args:
        source: Folder of class folders; text file with one "path label" per line (separated by a tab, a comma, a
            semicolon or blanks; blank lines and lines that start with # are skipped) or with columns under a heading;
            official list of a data set (see `videogn.data.lists`); Parquet file of `videogn data index`; or tar shards:
            one, a folder of them, or a pattern such as "train-{000..099}.tar", also at a URL.
        root: Folder that the relative paths of a list refer to, or below which the videos of an official list are found
            by name. Default: the folder of the file. For a Parquet index, the present place of its root. Ignored for
            class folders and shards.
        classes: Class names in order. Default: those of a Parquet index; else the sorted names that occur, or "0" up to
            the largest if all labels of a list or of shards are numbers. Names that differ only in "_" for " " are the
            same.
        split: Split to take from a Parquet index, or from a list that names several. Default: all rows.
        use_truncated: Whether to use videos of a Parquet index whose end is missing, as far as they decode.
        columns: Role -> name of a column of a list, as `videogn.data.lists.columns.parse_columns` gives it.
        aliases: Other spelling -> label, as the training videos of the same data set have it (`VideoIndex.aliases`).

    Returns:
        The index. Videos that do not exist stay in it; `VideoIndex.missing` lists them.

    Raises:
        FileNotFoundError: If `source` or `root` does not exist.
        ValueError: If no layout fits, a line or a label is wrong, or there is no video or no such split.
    """
    name = opened_path(expanded_text(source))
    if columns and not is_list(name):
        raise ValueError(f"columns says which column of a list is which, and {source} is no list: leave it out")
    refuse_archive(name)
    if is_shards(name):
        shards = find_shards(name)
        return _build(Listed(read_shards(shards), numbers=True), source, shards_root(shards), classes, checked=True)
    if is_list(name):
        from videogn.data.lists.reading import read_list  # a dozen formats; other sources do without

        folder = Path(name).parent if root is None else existing_path(root)
        return _of_list(read_list(Path(name), folder, columns), name, folder, classes, split, aliases or {})
    source = existing_path(source)
    if source.is_dir():
        found = read_class_folders(source)
        index = _build(Listed(found.rows, found.classes), source, source, classes)
        return replace(index, left_out=found.left_out)
    if source.suffix.lower() == PARQUET_SUFFIX:
        return read_parquet(source, root=root, classes=classes, split=split, use_truncated=use_truncated)
    if source.suffix.lower() in VIDEO_SUFFIXES:
        raise ValueError(f"{source} is a video, not an index; expected {LAYOUTS}")
    raise ValueError(f"{source} is no file; expected {LAYOUTS}")


def check_root(source: str | Path, root: str | Path | None) -> None:
    """Refuse a root for a source that gives the places of its videos itself.

    Args:
        source: Source for `read_index`, or a video.
        root: Folder with the videos of a CSV or list, or None.

    Raises:
        FileNotFoundError: If `root` does not exist.
        ValueError: If `source` is neither a CSV nor a list.
    """
    if root is None:
        return
    existing_path(root)
    if not is_list(expanded_text(source)):
        raise ValueError(f"--root says where the videos of a CSV or list lie; {source} is neither, leave it out")


def _first_places(rows: Sequence[Row]) -> dict[str, str]:
    """Label -> place where it first occurs, in that order."""
    places: dict[str, str] = {}
    for row in rows:
        for label in row.all_labels:
            places.setdefault(label, row.where)
    return places


def _of_list(
    listed: Listed,
    source: str,
    root: Path,
    classes: Sequence[str] | None,
    split: str | None,
    aliases: Mapping[str, str],
) -> VideoIndex:
    """The index of one split of a list; the classes are those of all of its splits."""
    check_same_start(listed.aliases, aliases, source)
    if classes is None and (others := aliases.keys() - set(aliases.values())):
        rows = [row._replace(label=aliases[row.label]) if row.label in others else row for row in listed.rows]
        listed = replace(listed, rows=rows, numbers=True)
    if classes is None and listed.classes is None:
        places = _first_places(listed.rows)
        classes = class_names(places) if listed.numbers else sorted(places)
    rows = of_split(listed.rows, split, Path(source))
    return _build(replace(listed, rows=rows, aliases={**aliases, **listed.aliases}), source, root, classes)


def _build(
    listed: Listed,
    source: str | Path,
    root: str | Path,
    classes: Sequence[str] | None,
    *,
    checked: bool = False,
) -> VideoIndex:
    """Turn labels into class numbers. `classes` are by default those that the list says, or else those that occur."""
    if not listed.rows:
        raise ValueError(f"no video in {source}; expected {LAYOUTS}")
    rows = with_slashes(listed.rows, str(root))
    places = _first_places(rows)
    if classes is None:
        classes = listed.classes or (class_names(places) if listed.numbers else sorted(places))
    spelt = {label: known_spelling(label, classes, listed.aliases) for label in places}
    numbers = number_labels({spelt[label]: where for label, where in places.items()}, classes, numbers=listed.numbers)
    records = Records.of_columns(
        [row.path for row in rows],
        [None if row.label is None else numbers[spelt[row.label]] for row in rows],
        [row.frames for row in rows] if any(row.frames for row in rows) else None,
        errors=[row.error for row in rows] if any(row.error for row in rows) else None,
        segments=[row.segment for row in rows] if any(row.segment for row in rows) else None,
        label_sets=_label_sets(rows, {label: numbers[spelling] for label, spelling in spelt.items()}),
    )
    return VideoIndex(records, tuple(classes), str(root), checked, aliases=listed.aliases)


def _label_sets(rows: Sequence[Row], numbers: Mapping[str, int]) -> list[list[int] | None] | None:
    """Class numbers of each video of a source where a video may have several; else None."""
    if all(row.labels is None for row in rows):
        return None
    return [None if row.labels is None else sorted({numbers[label] for label in row.labels}) for row in rows]
