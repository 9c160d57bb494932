"""videogn compare: results of tests, or of two studies, against one another."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from videogn.checks import existing_path, expanded
from videogn.system.destination import check_folder
from videogn.system.displayable import one_line

if TYPE_CHECKING:
    from videogn.report.comparison.comparison import Comparison, Pair


@dataclass(frozen=True)
class Options:
    """Compare tests on the videos that they have in common, or two studies cell by cell.

    Each test is the folder of its results (or its results.json), each study its folder. Differences have 95 % intervals
    over the videos, those of studies over their seeds. Videos are matched by their paths; where the data were moved in
    between, by their paths relative to --data.root, or by the last parts of them.

    Attributes:
        sources (RESULTS): Results of two or more tests, or the folders of two studies.
        out (DIR): Folder for compare.html, a page with the flipped videos and the gain of each class, compare.md and
            compare.json. By default nothing is written.
        intersect: Compare tests of different classes on the videos of the classes that all have.
    """

    sources: tuple[str, ...]
    out: str | None = None
    intersect: bool = False


def run(options: Options) -> int:
    """Print the comparison, and write its page if a folder is named.

    Args:
        options: Options of the command.

    Returns:
        0.

    Raises:
        FileNotFoundError: A source does not exist or lacks a file.
        ValueError: The sources cannot be compared.
    """
    from videogn.study.study_files import STUDY_FILE

    if len(options.sources) < 2:
        raise ValueError(f"compare needs two or more results of tests, or two studies, got {options.sources[0]} alone")
    folders = [existing_path(source) for source in options.sources]
    studies = [folder for folder in folders if (folder / STUDY_FILE).is_file()]
    out = None if options.out is None else expanded(options.out)
    if out is not None:
        check_folder(out)
    if not studies:
        return _compare_tests(options, out)
    if len(studies) < len(folders):
        other = next(folder for folder in folders if folder not in studies)
        raise ValueError(
            f"{studies[0]} is a study and {other} is not: compare studies, or tests (a study's are in cells/)"
        )
    if len(studies) > 2 or options.intersect:
        what = "--intersect is about tests" if options.intersect else f"got {len(studies)}"
        raise ValueError(f"compare takes two studies at a time; {what}")
    from videogn.cli.study_comparison import compare_studies

    return compare_studies(folders[0], folders[1], out)


def _compare_tests(options: Options, out: Path | None) -> int:
    from videogn.report.comparison.comparison import compare
    from videogn.report.comparison.outcomes import join
    from videogn.report.comparison.tested import read_tested
    from videogn.report.comparison.wording import LETTERS, lacking_words, matched_words, warnings
    from videogn.report.comparison.written import write_comparison

    if len(options.sources) > len(LETTERS):
        raise ValueError(f"compare takes at most {len(LETTERS)} tests, got {len(options.sources)}")
    comparison = compare(join([read_tested(source) for source in options.sources], intersect=options.intersect))
    for letter, source in zip(LETTERS, options.sources, strict=False):
        print(one_line(f"{letter}  {source}"))
    for said in (matched_words(comparison), *lacking_words(comparison)):
        print(_filled(f"{said[0].upper()}{said[1:]}."))
    for pair in comparison.pairs:
        _print_pair(comparison, pair)
    for warning in warnings(comparison):
        print(_filled(f"warning: {warning}"))
    if out is not None:
        print(one_line(f"Page: {write_comparison(comparison, out)}"))
    return 0


def _print_pair(comparison: Comparison, pair: Pair) -> None:
    from videogn.report.comparison.wording import LETTERS, discordance_words
    from videogn.report.number_format import MINUS, between, signed

    a, b = LETTERS[pair.first], LETTERS[pair.second]
    width = max(map(len, pair.measures))
    print(f"\n{'':{width}}  {a:>6}  {b:>6}  {f'{b} {MINUS} {a}':>6}  95 % over videos")
    for name, one in pair.measures.items():
        change = signed(one.interval.mean)
        print(f"{name:{width}}  {one.first:6.1f}  {one.second:6.1f}  {change:>6}  {between(one.interval)}")
    print(_filled(discordance_words(pair, len(comparison.pairs))), end="\n\n" if pair is comparison.pairs[-1] else "\n")


def _filled(text: str) -> str:
    """Lines of at most 80 letters, but for paths, which stay whole."""
    return textwrap.fill(one_line(text), 80, break_long_words=False, break_on_hyphens=False)
