"""A comparison of tests in sentences, and what a reader has to be warned of; for terminals and pages alike."""

from __future__ import annotations

import string
from collections.abc import Iterator

from videogn.report.comparison.common_classes import some
from videogn.report.comparison.comparison import MAP, Comparison, Pair
from videogn.report.comparison.differing import differing_settings
from videogn.report.comparison.outcomes import RELABELLED
from videogn.report.number_format import between, listing, p_value, signed
from videogn.system.sizes import counted

#: Tests that letters tell apart.
LETTERS = string.ascii_uppercase


def matched_words(comparison: Comparison) -> str:
    """Say how many videos are compared, and how they were matched."""
    outcomes = comparison.outcomes
    return (
        f"{counted(len(outcomes.names), 'video')} of {counted(len(outcomes.classes), 'class')} compared, matched by "
        f"{outcomes.matched.way}"
    )


def lacking_words(comparison: Comparison) -> list[str]:
    """Say what some tests lack, and what is left out; nothing where all have the same videos."""
    outcomes = comparison.outcomes
    said = [
        f"{LETTERS[number]} lacks {counted(len(names), 'video')} that another test has: {some(names, 3)}"
        for number, names in enumerate(outcomes.matched.missing)
        if names
    ]
    said += [
        f"left out: {counted(len(names), 'video')} {reason}: {some(names, 3)}"
        for reason, names in outcomes.left_out.items()
    ]
    failed = [int(outcomes.failed(number).sum()) for number in range(len(outcomes.tests))]
    if any(failed):
        each = [f"{number:,} in {LETTERS[place]}" for place, number in enumerate(failed)]
        said.append(f"videos without scores, which count as wrong: {listing(each)}")
    return said


def warnings(comparison: Comparison) -> Iterator[str]:
    """What makes the numbers less comparable than they look."""
    outcomes = comparison.outcomes
    different = [len(test.classes) - len(outcomes.classes) for test in outcomes.tests]
    if any(different):
        each = [f"{number:,} in {LETTERS[place]}" for place, number in enumerate(different)]
        yield (
            f"the classes differ ({listing(each)} left out): each network still chose among all of its own, so that "
            "the one with fewer had the easier task"
        )
    for setting in differing_settings(outcomes.tests):
        if setting.protocol:
            values = [f"{value} in {LETTERS[place]}" for place, value in enumerate(setting.values)]
            yield f"the tests differ in {setting.name}: {listing(values)}"
    if not outcomes.matched.certain:
        yield (
            f"no paths agree and the lists of videos differ: it is taken on trust that {outcomes.matched.way} mean the "
            "same videos"
        )
    if RELABELLED in outcomes.left_out:
        yield "some videos have different labels: are the tests of one data set?"
    if outcomes.several_labels and outcomes.scores is None:
        yield (
            f"no difference of {MAP}: it needs clip_probabilities.parquet of every test (videogn test "
            "--model.save_clip_probabilities true)"
        )


def pair_words(pair: Pair, pairs: int) -> str:
    """Sum up a pair.

    Args:
        pair: The pair.
        pairs: Number of pairs, for which the p values are corrected.
    """
    a, b = LETTERS[pair.first], LETTERS[pair.second]
    name, leading = next(iter(pair.measures.items()))
    includes = ", which includes 0" if leading.interval.includes_zero else ""
    change = f"{signed(leading.interval.mean)} points of {name} ({between(leading.interval)}{includes})"
    return f"{b} against {a}: {change}. {discordance_words(pair, pairs)}"


def discordance_words(pair: Pair, pairs: int) -> str:
    """Say McNemar's test of a pair."""
    a, b, found = LETTERS[pair.first], LETTERS[pair.second], pair.discordance
    corrected = f"; {p_value(found.adjusted)} by Holm over {pairs} pairs" if pairs > 1 else ""
    return (
        f"Right in {a} only: {found.only_first:,}, in {b} only: {found.only_second:,}; McNemar's exact "
        f"{p_value(found.p)}{corrected}."
    )
