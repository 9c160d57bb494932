"""The page of a comparison of tests."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from videogn.evaluation.proportions import wilson_interval
from videogn.report.comparison.common_classes import some
from videogn.report.comparison.comparison import Comparison, Pair
from videogn.report.comparison.differing import Differing, differing_settings
from videogn.report.comparison.flipped import MOST_SHOWN, galleries
from videogn.report.comparison.outcomes import Outcomes
from videogn.report.comparison.paired import PRECISION_RESAMPLES
from videogn.report.comparison.tested import Tested
from videogn.report.comparison.wording import LETTERS, matched_words, pair_words, warnings
from videogn.report.document_blocks import DASH, Block, Bullets, Heading, Paragraph, Table
from videogn.report.number_format import between, signed
from videogn.report.statistics import RESAMPLES
from videogn.system.sizes import counted

#: Names of videos that a table lists; compare.json has all.
_NAMED = 8
_READING = (
    "Differences are percentage points, the second test minus the first, over the same videos; those that could not "
    f"be tested count as wrong. The intervals are percentile bootstraps over the videos ({RESAMPLES:,} resamples; "
    f"{PRECISION_RESAMPLES:,} of mAP): they cover which videos happen to be in the test set, and not how another "
    "training run would have come out. One that includes 0 is compatible with no difference; it does not show that "
    "there is none. McNemar's exact test compares two trained networks, not two methods."
)


def comparison_blocks(comparison: Comparison) -> list[Block]:
    """Compose the page before it is Markdown or HTML.

    Args:
        comparison: The comparison.

    Returns:
        The blocks, the first of which is the title.
    """
    pairs = comparison.pairs
    said = [pair_words(pair, len(pairs)) for pair in pairs]
    said += [f"Warning: {warning}." for warning in warnings(comparison)]
    return [
        Heading(f"{counted(len(comparison.outcomes.tests), 'test')} compared", 1),
        Heading("In short"),
        Bullets([*map(_named, LETTERS, comparison.outcomes.tests), f"{matched_words(comparison)}.", *said]),
        _tests_table(comparison.outcomes),
        Heading("Differences"),
        _difference_table(pairs),
        Paragraph(_READING),
        *_lacking(comparison.outcomes),
        *_settings(differing_settings(comparison.outcomes.tests)),
        *([Paragraph("Classes and flipped videos are shown of each test against A.")] if len(pairs) > 1 else []),
        *(block for pair in pairs if pair.first == 0 for block in _pair_blocks(comparison.outcomes, pair)),
        Paragraph("Made from the files of the tests alone; compare.json has every number and every name."),
    ]


def _named(letter: str, test: Tested) -> str:
    checkpoint = test.summary.get("checkpoint")
    return f"{letter}: {test.folder}" + (f", checkpoint {checkpoint}" if isinstance(checkpoint, str) else "")


def _tests_table(outcomes: Outcomes) -> Table:
    rows = []
    for number, test in enumerate(outcomes.tests):
        model = test.summary.get("model") or {}
        protocol = test.summary.get("protocol") or {}
        known: Sequence[Any] = [model.get("arch"), model.get("norm"), protocol.get("clips")]
        rows.append([
            LETTERS[number], *(DASH if value is None else str(value) for value in known),
            f"{len(test.paths):,}", _with_wilson(float(outcomes.hits(number).mean()), len(outcomes.names)),
        ])  # fmt: skip
    measure = "best class shown" if outcomes.several_labels else "top-1"
    caption = f"The tests; {measure} (%) over the compared videos, with Wilson's 95 % interval over videos."
    return Table(["test", "network", "norm", "clips", "videos", measure], rows, caption, 3)


def _with_wilson(share: float, count: int) -> str:
    low, high = wilson_interval(share, count)
    return f"{100 * share:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _difference_table(pairs: Sequence[Pair]) -> Table:
    rows = []
    for pair in pairs:
        name = f"{LETTERS[pair.second]} against {LETTERS[pair.first]}"
        for measure, one in pair.measures.items():
            change = [signed(one.interval.mean), between(one.interval)]
            rows.append([name, measure, f"{one.first:.1f}", f"{one.second:.1f}", *change])
    head = ["tests", "measure", "first", "second", "difference", "95 % over videos"]
    caption = "Measures (%) over the compared videos, and the second test's minus the first's (percentage points)."
    return Table(head, rows, caption, 2)


def _lacking(outcomes: Outcomes) -> list[Block]:
    """Videos that not all tests have, or that are not compared."""
    rows = [
        [f"lacking in {LETTERS[number]}", f"{len(names):,}", some(names, _NAMED)]
        for number, names in enumerate(outcomes.matched.missing)
        if names
    ]
    rows += [[reason, f"{len(names):,}", some(names, _NAMED)] for reason, names in outcomes.left_out.items()]
    for number in range(len(outcomes.tests)):
        failed = [outcomes.names[row] for row in outcomes.failed(number).nonzero()[0]]
        if failed:
            rows.append([f"without scores in {LETTERS[number]}", f"{len(failed):,}", some(failed, _NAMED)])
    if not rows:
        return []
    caption = "Videos that a test lacks and videos left out are in no number here; those without scores count as wrong."
    table = Table(["videos", "number", "names"], rows, caption, 3)
    return [Heading("Videos that not all tests have"), table]


def _settings(found: Iterable[Differing]) -> list[Block]:
    rows = [[one.name, "yes" if one.protocol else "", *one.values] for one in found]
    if not rows:
        return [Heading("Settings"), Paragraph("The tests say the same about how they and their networks were made.")]
    letters = LETTERS[: len(rows[0]) - 2]
    caption = (
        "What the results say of how they were made, where it differs. A difference of the protocol (how videos were "
        "shown, for how long the network was trained) is one that the networks are not alone to answer for."
    )
    return [Heading("Settings"), Table(["setting", "protocol", *letters], rows, caption, 2 + len(letters))]


def _pair_blocks(outcomes: Outcomes, pair: Pair) -> list[Block]:
    a, b = LETTERS[pair.first], LETTERS[pair.second]
    what = "Average precision" if "mAP" in pair.measures else "Accuracy"
    rows = [
        [gain.name, f"{gain.videos:,}", f"{gain.first:.1f}", f"{gain.second:.1f}", signed(gain.gain),
         f"{gain.only_first:,}", f"{gain.only_second:,}"]
        for gain in pair.classes
    ]  # fmt: skip
    caption = (
        f"{what} of each class (%), the largest gain of {b} first, and the number of its videos that only one has "
        "right. A class of few videos moves by chance."
    )
    head = ["class", "videos", a, b, "gain", f"only {a} right", f"only {b} right"]
    shown = f"{MOST_SHOWN} of each kind, those first of whose wrong class the network is most certain"
    both = len(pair.won) + len(pair.lost)
    return [
        Heading(f"{b} against {a}: classes"),
        Table(head, rows, caption, sortable=True),
        Heading(f"{b} against {a}: flipped videos"),
        Paragraph(
            f"{counted(both, 'video')} are right in one test and wrong in the other"
            + (
                f"; up to {shown}. Pictures are the first frames of some of the clips that were tested."
                if both
                else "."
            )
        ),
        *galleries(outcomes, pair),
    ]
