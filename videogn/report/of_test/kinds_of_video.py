"""Accuracy by length, size, codec and source of the video, as an index of the data set says them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from videogn.checks import existing_path
from videogn.data.lists.segments import without_fragment
from videogn.data.parquet_index import SUFFIX, file_facts
from videogn.report.document_blocks import DASH, Block, Heading, Paragraph, Table
from videogn.report.of_test.accuracy import interval, percent
from videogn.report.of_test.results_folder import ResultsFolder
from videogn.system.displayable import one_line

_WITHOUT_INDEX = (
    "Accuracy by length, size, codec and source of the videos needs an index of them (videogn data index), named with "
    "--index."
)
_FACTS = ("duration", "width", "height", "codec", "source")
#: Most values of a number that have a line each; more are put into four ranges of as many videos.
_VALUES = 6
#: Lines of names (codecs, sources), the most frequent first.
_NAMES = 20


def kind_blocks(results: ResultsFolder, index: str | None) -> list[Block]:
    """Tabulate the accuracy by kind of video.

    Args:
        results: The test.
        index: Parquet index of its videos. Default: the one that it was tested with, if there was one.
    """
    if not (results.labels >= 0).any():
        return []
    title = Heading("Kinds of video")
    source = existing_path(index) if index is not None else _index_of(results)
    if source is None:
        return [title, Paragraph(_WITHOUT_INDEX)]
    facts = _facts(results, source)
    found = pc.is_valid(facts["path"]).to_numpy()
    if not found.any():
        return [title, Paragraph(f"None of the videos is in the index {one_line(str(source))}.")]
    rows = [
        *_numbers(results, "length (s)", _number(facts, "duration"), 1),
        *_numbers(results, "short side (pixels)", np.fmin(_number(facts, "width"), _number(facts, "height")), 0),
        *_names(results, "codec", facts["codec"]),
        *_names(results, "source", facts["source"]),
    ]
    if not rows:
        return [title, Paragraph(f"{one_line(str(source))} says none of this: no index of `videogn data index`.")]
    caption = (
        f"Top-1 accuracy (%) of the labelled videos, a failed one being wrong, with Wilson's 95 % interval. Facts of "
        f"the files from {one_line(source.name)}, which has {int(found.sum()):,} of {len(found):,} videos."
    )
    return [title, Table(["fact", "value", "videos", "top-1", "95 % interval"], rows, caption, 2)]


def _index_of(results: ResultsFolder) -> Path | None:
    """The index that the test read, if it is still there."""
    source = results.summary.get("videos_from") or {}
    root = results.root or results.former_root
    places = [source.get("given"), source.get("root"), f"{root}/index{SUFFIX}" if root else None]
    return next((Path(place) for place in places if place and place.endswith(SUFFIX) and Path(place).is_file()), None)


def _facts(results: ResultsFolder, source: Path) -> pa.Table:
    """A row for each video of the test; null where the index has no such file."""
    table, base = file_facts(source, _FACTS, root=results.root)
    paths = table["path"].to_pylist()
    files = [_file(path) for path in results.rows["path"].to_pylist()]
    exact = pc.index_in(pa.array(files, pa.string()), value_set=pa.array(paths, pa.string()))
    # Where either has moved, files are the same that lie at the same place below their roots.
    relative = pc.index_in(
        pa.array(map(results.below_root, files), pa.string()),
        value_set=pa.array([path.removeprefix(f"{base.rstrip('/')}/") for path in paths], pa.string()),
    )
    return table.take(pc.coalesce(exact, relative))


def _file(name: str) -> str:
    try:
        return without_fragment(name)[0]
    except ValueError:  # a file whose own name looks like that of a part
        return name


def _number(facts: pa.Table, column: str) -> np.ndarray:
    return np.asarray(facts[column].cast(pa.float64()).to_numpy())


def _numbers(results: ResultsFolder, what: str, values: np.ndarray, digits: int) -> list[list[str]]:
    """Lines of the values of a number, or of ranges of it."""
    values = np.round(values, digits)
    known = np.isfinite(values)
    distinct = np.unique(values[known])
    if len(distinct) <= _VALUES:
        groups = [(f"{value:.{digits}f}", values == value) for value in distinct]
    else:
        edges = np.unique(np.quantile(values[known], [0.25, 0.5, 0.75, 1], method="lower"))
        lower = [-np.inf, *edges[:-1]]
        groups = [
            (
                f"{'' if low == -np.inf else f'over {low:.{digits}f}, '}up to {high:.{digits}f}",
                (values > low) & (values <= high),
            )
            for low, high in zip(lower, edges, strict=True)
        ]
    return _rows(results, what, [*groups, *([("not known", ~known)] if known.any() else [])])


def _names(results: ResultsFolder, what: str, values: pa.ChunkedArray) -> list[list[str]]:
    """Lines of the most frequent names."""
    counts = sorted(pc.value_counts(values.drop_null()).to_pylist(), key=lambda row: (-row["counts"], row["values"]))
    groups = [
        (one_line(str(row["values"])), pc.fill_null(pc.equal(values, row["values"]), False).to_numpy())
        for row in counts[:_NAMES]
    ]
    return _rows(results, what, groups)


def _rows(results: ResultsFolder, what: str, groups: list[tuple[str, np.ndarray]]) -> list[list[str]]:
    rows = []
    for name, members in groups:
        labelled = members & (results.labels >= 0)
        videos = int(labelled.sum())
        share = float(results.right[labelled].mean()) if videos else None
        if videos:
            rows.append([what, name or DASH, f"{videos:,}", percent(share), interval(share, videos)])
    return rows
