"""What the parts of a report are made from: the cells of one budget, with everything computed from them once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from videogn.report.clip_counts import ClipFiles
from videogn.report.differences import Differences, differences
from videogn.report.document_blocks import Block, Heading, Picture
from videogn.report.layout import Layout
from videogn.report.style import Styles


@dataclass(frozen=True)
class Material:
    """The results of one budget.

    Attributes:
        layout: Cells of the section as a table, with their results.
        differences: Paired differences of the section.
        styles: Norm -> keywords of its lines, the same in all figures of a report.
        files: Clip files of the study.
        figure: Name of a figure -> its file.
    """

    layout: Layout
    differences: Differences
    styles: Styles
    files: ClipFiles
    figure: Callable[[str], Path]

    @staticmethod
    def of(layout: Layout, styles: Styles, files: ClipFiles, folder: Path, number: int) -> Material:
        """Compute the material of the section with a number, from 1; its figures lie in `folder`."""
        suffix = "" if number == 1 else f"_{number}"
        found = differences(layout, files)
        return Material(layout, found, styles, files, lambda name: folder / f"{name}{suffix}.png")


#: Results of all budgets that have any, the leading one first.
Materials = Sequence[Material]


def example_of(materials: Materials) -> str:
    """What the tests count, "video" or "image"; see `Layout.example`."""
    return materials[0].layout.example if materials else "video"


def each_budget(materials: Materials, part: Callable[[Material], list[Block]]) -> list[Block]:
    """Make a part for every budget, below the budget's title where there are several of them.

    Args:
        materials: Results of all budgets.
        part: Makes the blocks of one.

    Returns:
        The blocks; a budget without any has no title either.
    """
    made = [(material.layout.section.title, part(material)) for material in materials]
    return [
        block
        for title, blocks in made
        if blocks
        for block in [*([Heading(title, 4)] if len(materials) > 1 else []), *blocks]
    ]


def figure(path: Path | None, caption: str, alt: str) -> list[Block]:
    """A figure; nothing where there was nothing to draw."""
    return [] if path is None else [Picture(path, caption, alt)]
