"""Videos of a test to look at: the most confidently wrong ones, and those of which the network is least certain."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from videogn.report.document_blocks import Block, Entry, Gallery, Heading, Paragraph
from videogn.report.of_test.accuracy import percent
from videogn.report.of_test.results_folder import ResultsFolder
from videogn.report.thumbnails import Stills, read_stills
from videogn.system.displayable import one_line

#: Classes that are named for each video.
_NAMED = 3


def video_blocks(results: ResultsFolder, most: int, seconds: float) -> list[Block]:
    """Show videos with the first frames of some of their clips.

    Args:
        results: The test.
        most: Largest number of videos of each kind.
        seconds: Time after which no further video is opened.
    """
    wrong = _wrong(results)
    scored = np.flatnonzero(results.predicted >= 0)
    confident = wrong[np.argsort(-results.confidence[wrong], kind="stable")][:most]
    uncertain = scored[np.argsort(results.confidence[scored], kind="stable")][:most]
    if results.several_labels:  # the classes of a video do not exclude one another: no number says how certain it is
        uncertain = uncertain[:0]
    rows = results.rows.take(np.concatenate([confident, uncertain])).to_pylist()
    stills = read_stills([(results.present(row["path"]), _starts(row)) for row in rows], seconds=seconds)
    entries = [_entry(row, one, results) for row, one in zip(rows, stills, strict=True)]
    parts = entries[: len(confident)], entries[len(confident) :]
    titles = (
        ("Most confidently wrong", "Videos whose best class is not theirs, the most probable first."),
        ("Least certain", "Videos whose best class has the lowest probability, right or wrong."),
    )
    blocks: list[Block] = []
    for (title, text), entries in zip(titles, parts, strict=True):
        shown = "In the page, each has the first frames of up to four of the clips that were tested, as in the file."
        blocks += [Heading(title, 3), Paragraph(f"{text} {shown}"), Gallery(entries)] if entries else []
    return [Heading("Videos to look at"), *blocks] if blocks else []


def _wrong(results: ResultsFolder) -> np.ndarray:
    """Positions of the videos with scores and with labels that their best class is not among."""
    if not results.several_labels:
        return np.flatnonzero((results.labels >= 0) & (results.predicted >= 0) & ~results.right)
    label, best = results.rows["label"], results.rows["top1"]
    return np.array(
        [
            number
            for number, (names, name) in enumerate(zip(label.to_pylist(), best.to_pylist(), strict=True))
            # Several are joined by ";", which a name may hold itself.
            if names and name is not None and f";{name};" not in f";{names};"
        ],
        np.int64,
    )


def _starts(row: dict[str, Any]) -> list[int]:
    return [int(start) for start in (row["clip_starts"] or "").split()]


def _entry(row: dict[str, Any], stills: Stills, results: ResultsFolder) -> Entry:
    label = "no label" if row["label"] is None else f"Label: {one_line(row['label']) or 'none of the classes'}"
    lines = [label, f"Predicted: {', '.join(_best(row, len(results.classes)))}"]
    if stills.problem is not None:
        lines.append(f"({stills.problem})")
    return Entry(one_line(results.below_root(row["path"])), lines, stills.link, stills.pictures)


def _best(row: dict[str, Any], classes: int) -> Iterable[str]:
    for rank in range(1, min(_NAMED, classes) + 1):
        yield f"{one_line(row[f'top{rank}'])} {percent(row[f'score{rank}'])} %"
