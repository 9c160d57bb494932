"""The page of a comparison of two studies, and its numbers as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from videogn.report.comparison.common_classes import some
from videogn.report.comparison.studies import PAIRED, UNPAIRED, VIDEOS, Setting, StudyComparison, mean
from videogn.report.comparison.study_settings import Moved
from videogn.report.comparison.written import interval_content, write_pages
from videogn.report.document_blocks import DASH, Block, Bullets, Heading, Paragraph, Table
from videogn.report.number_format import MINUS, between, listing, signed
from videogn.report.statistics import LEVEL
from videogn.study.own_data import OWN_DATA
from videogn.system.sizes import counted

#: Names of cells that a sentence lists; compare.json has all.
_NAMED = 5
_OVER = {
    PAIRED: "Over seeds: Student's t of the differences between runs of equal seeds.",
    UNPAIRED: "Over unpaired seeds: Welch's t, since the studies have no seed in common.",
    VIDEOS: (
        "Over videos: a bootstrap of the test videos of one seed, which does not cover how another training run would "
        "have come out."
    ),
}


def write_study_comparison(found: StudyComparison, folder: Path) -> Path:
    """Write compare.md, compare.html and compare.json.

    Args:
        found: The comparison.
        folder: Folder of the files; made if it does not exist.

    Returns:
        Path of the page.
    """
    return write_pages(study_comparison_blocks(found), _content(found), folder)


def study_comparison_blocks(found: StudyComparison) -> list[Block]:
    """Compose the page before it is Markdown or HTML; the first block is the title."""
    return [
        Heading("Two studies compared", 1),
        Heading("In short"),
        Bullets([
            *(f"{letter}: {study.title} ({study.folder})" for letter, study in zip("AB", found.studies, strict=True)),
            *(f"{sentence}." for sentence in moved_words(found)),
            *matching_words(found),
        ]),
        Heading("Results"),
        settings_table(found),
        Bullets([text for kind, text in _OVER.items() if any(one.over == kind for one in found.settings)]),
        Heading("What moved"),
        *_axes(found),
        *_moved(found.moved, "Options of training of the matching cells."),
        *_moved(found.moved_tests, "How matching cells were tested: their results differ for this reason as well."),
        *_alone(found),
        *_moved(found.moved_study, "Generated data, and versions."),
        Paragraph("Made from the files of the studies alone."),
    ]  # fmt: skip


def moved_words(found: StudyComparison) -> list[str]:
    """Name the settings that moved, one a sentence, those of all matching cells first."""
    dropped = [change for change in found.axes if change.name in found.dropped]
    said = [
        f"{change.name}: {listing(change.only_first)} in A, {listing(change.only_second)} in B" for change in dropped
    ]
    for one in [*sorted(found.moved, key=lambda one: -(one.cells or 0)), *found.moved_tests]:
        said.append(f"{one.name}: {one.first} in A, {one.second} in B ({counted(one.cells or 0, 'pair')} of cells)")
    made = [one for one in found.moved_study if one.name.startswith(tuple(OWN_DATA))]
    said += [f"{one.name}: {one.first} in A, {one.second} in B" for one in made]
    return said or ["No setting of the matching cells moved"]


def matching_words(found: StudyComparison) -> list[str]:
    """Say which cells have no counterpart, or are not finished."""
    said = []
    for letter, names, unfinished in zip("AB", found.unmatched, found.unfinished, strict=True):
        if names:
            verb = "has" if len(names) == 1 else "have"
            said.append(
                f"{counted(len(names), 'finished cell')} of {letter} {verb} no counterpart: {some(names, _NAMED)}."
            )
        if unfinished:
            said.append(f"{counted(unfinished, 'cell')} of {letter} {'is' if unfinished == 1 else 'are'} not finished.")
    return said


def settings_table(found: StudyComparison) -> Table:
    """Tabulate the matching cells: both means, and the change with its interval."""
    rows = [
        [one.name, _of_seeds(one, one.first), _of_seeds(one, one.second), signed(one.change.mean), between(one.change),
         counted(one.change.count, "seed") if one.over == PAIRED else one.over or DASH]
        for one in found.settings
    ]  # fmt: skip
    caption = (
        f"Accuracy ({found.measure}, %) of the matching cells, mean over the seeds that both have (over all where "
        "there are none; n: their number), and B minus A (percentage points)."
    )
    return Table(["cells", "A", "B", f"B {MINUS} A", "95 % interval", "over"], rows, caption)


def _of_seeds(one: Setting, values: Mapping[int, float]) -> str:
    """Mean over seeds, with their number where these are not those of the other study."""
    return f"{mean(values):.1f}" + ("" if one.first.keys() == one.second.keys() else f" (n = {len(values)})")


def _axes(found: StudyComparison) -> list[Block]:
    if not found.axes:
        return [Paragraph("The axes of the two grids have the same values.")]
    rows = [
        [axis.name, *(", ".join(values) or DASH for values in (axis.only_first, axis.only_second, axis.both))]
        for axis in found.axes
    ]
    caption = "Axes of the grids whose values differ."
    return [Table(["axis", "only in A", "only in B", "in both"], rows, caption, 4)]


def _moved(moved: Sequence[Moved], caption: str) -> list[Block]:
    if not moved:
        return []
    counts = any(one.cells is not None for one in moved)
    rows = [[one.name, one.first, one.second, *([str(one.cells)] if counts else [])] for one in moved]
    return [Table(["setting", "A", "B", *(["pairs of cells"] if counts else [])], rows, caption, 3)]


def _alone(found: StudyComparison) -> list[Block]:
    """Options that one study's configurations do not know."""
    return [
        Paragraph(
            f"Options that only the cells of {letter} have, as those of another version of videogn would: "
            + "; ".join(f"{name} {value}" for name, value in options.items())
            + "."
        )
        for letter, options in zip("AB", found.alone, strict=True)
        if options
    ]


def _content(found: StudyComparison) -> dict[str, Any]:
    return {
        "compared": "studies",
        "studies": {letter: str(study.folder) for letter, study in zip("AB", found.studies, strict=True)},
        "level": LEVEL,
        "measure": found.measure,
        "axes": [asdict(axis) for axis in found.axes],
        "moved": [asdict(one) for one in (*found.moved, *found.moved_tests, *found.moved_study)],
        "options_of_one_study": dict(zip("AB", found.alone, strict=True)),
        "settings": [_setting(one) for one in found.settings],
        "unmatched": dict(zip("AB", found.unmatched, strict=True)),
        "unfinished": dict(zip("AB", found.unfinished, strict=True)),
    }


def _setting(one: Setting) -> dict[str, Any]:
    change = interval_content(one.change)
    return {"cells": one.name, "first": one.first, "second": one.second, "second_minus_first": change, "over": one.over}
