"""A comparison of tests as files: compare.md, compare.html, compare.json."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from videogn.report.comparison.comparison import ClassGain, Comparison, Pair
from videogn.report.comparison.differing import differing_settings
from videogn.report.comparison.document import comparison_blocks
from videogn.report.comparison.wording import LETTERS, warnings
from videogn.report.document_blocks import Block
from videogn.report.markdown import render_markdown
from videogn.report.page import render_page
from videogn.report.statistics import LEVEL, Interval
from videogn.system.files import write_json, write_text

STEM = "compare"


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write the files of a comparison of tests.

    Args:
        comparison: The comparison.
        folder: Folder of the files; made if it does not exist.

    Returns:
        Path of the page.
    """
    return write_pages(comparison_blocks(comparison), comparison_content(comparison), folder)


def write_pages(blocks: Sequence[Block], content: dict[str, Any], folder: Path) -> Path:
    """Write blocks as Markdown and as a page, and the numbers as JSON; return the path of the page."""
    write_json(folder / f"{STEM}.json", content)
    write_text(folder / f"{STEM}.md", render_markdown(blocks, folder))
    write_text(folder / f"{STEM}.html", render_page(blocks))
    return folder / f"{STEM}.html"


def comparison_content(comparison: Comparison) -> dict[str, Any]:
    """Every number of a comparison of tests, and the names of all videos that are counted; accuracies in per cent."""
    outcomes = comparison.outcomes
    return {
        "compared": "tests",
        "tests": {LETTERS[number]: str(test.folder) for number, test in enumerate(outcomes.tests)},
        "level": LEVEL,
        "videos": len(outcomes.names),
        "classes": len(outcomes.classes),
        "matched_by": outcomes.matched.way,
        "lacking": {LETTERS[number]: names for number, names in enumerate(outcomes.matched.missing)},
        "left_out": outcomes.left_out,
        "without_scores": {
            LETTERS[number]: [outcomes.names[row] for row in outcomes.failed(number).nonzero()[0]]
            for number in range(len(outcomes.tests))
        },
        "warnings": list(warnings(comparison)),
        "differing_settings": [asdict(setting) for setting in differing_settings(outcomes.tests)],
        "pairs": [_pair(pair, outcomes.names) for pair in comparison.pairs],
    }


def _pair(pair: Pair, names: Sequence[str]) -> dict[str, Any]:
    return {
        "first": LETTERS[pair.first],
        "second": LETTERS[pair.second],
        "measures": {
            name: {"first": one.first, "second": one.second, "second_minus_first": interval_content(one.interval)}
            for name, one in pair.measures.items()
        },
        "mcnemar": asdict(pair.discordance),
        "per_class": [_class(gain) for gain in pair.classes],
        "only_first_right": [names[video] for video in pair.lost],
        "only_second_right": [names[video] for video in pair.won],
    }


def interval_content(interval: Interval) -> dict[str, Any]:
    """Mean and ends of an interval."""
    return {"mean": interval.mean, "low": interval.low, "high": interval.high}


def _class(gain: ClassGain) -> dict[str, Any]:
    content = asdict(gain)
    return {"class": content.pop("name"), **content, "gain": gain.gain}
