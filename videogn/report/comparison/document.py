"""The page of a comparison of tests."""

from __future__ import annotations

from collections.abc import Iterable

from videogn.evaluation.proportions import wilson_interval
from videogn.report.comparison.common_classes import some
from videogn.report.comparison.comparison import MAP, Comparison, Pair
from videogn.report.comparison.differing import Differing, differing_settings
from videogn.report.comparison.flipped import MOST_SHOWN, galleries
from videogn.report.comparison.outcomes import Outcomes
from videogn.report.comparison.paired import PRECISION_RESAMPLES
from videogn.report.comparison.tested import Tested
from videogn.report.comparison.wording import LETTERS, matched_words, pair_words, warnings
from videogn.report.document_blocks import Block, Bullets, Heading, Paragraph, Table
from videogn.report.number_format import MINUS, between, signed
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
        *map(_difference_table, pairs),
        Paragraph(_READING),
        *_lacking(comparison.outcomes),
        *_settings(differing_settings(comparison.outcomes.tests)),
        *([Paragraph("Classes and flipped videos are shown of each test against A.")] if len(pairs) > 1 else []),
        *(block for pair in pairs if pair.first == 0 for block in _pair_blocks(comparison.outcomes, pair)),
        Paragraph("Made from the files of the tests alone; compare.json has every number and every name."),
    ]


def _named(letter: str, test: Tested) -> str:
    """What was tested."""
    model, protocol = test.summary.get("model") or {}, test.summary.get("protocol") or {}
    checkpoint = test.summary.get("checkpoint")
    known = [model.get("arch"), model.get("norm"), f"{protocol['clips']} clips" if "clips" in protocol else None]
    known.append(f"checkpoint {checkpoint}" if isinstance(checkpoint, str) else None)
    return ", ".join([f"{letter}: {test.folder}", *(str(value) for value in known if value is not None)])


def _tests_table(outcomes: Outcomes) -> Table:
    count = len(outcomes.names)
    rows = [
        [LETTERS[number], _with_wilson(float(outcomes.hits(number).mean()), count), f"{len(test.paths):,}"]
        for number, test in enumerate(outcomes.tests)
    ]
    measure = "best class shown" if outcomes.several_labels else "top-1"
    caption = (
        f"{measure[0].upper()}{measure[1:]} (%) over the {counted(count, 'video')} compared, with Wilson's 95 % "
        "interval over videos; and the number of videos of the test."
    )
    return Table(["test", measure, "videos tested"], rows, caption)


def _with_wilson(share: float, count: int) -> str:
    low, high = wilson_interval(share, count)
    return f"{100 * share:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _difference_table(pair: Pair) -> Table:
    a, b = LETTERS[pair.first], LETTERS[pair.second]
    rows = [
        [name, signed(one.interval.mean), between(one.interval), f"{one.first:.1f}", f"{one.second:.1f}"]
        for name, one in pair.measures.items()
    ]
    caption = f"{b} against {a}: {b} minus {a} (percentage points), and both (%)."
    return Table(["measure", f"{b} {MINUS} {a}", "95 % over videos", a, b], rows, caption)


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
    """Flipped videos and classes of two tests."""
    name = f"{LETTERS[pair.second]} against {LETTERS[pair.first]}"
    flipped = f"{counted(len(pair.won) + len(pair.lost), 'video')} are right in one test and wrong in the other"
    shown = (
        f"{flipped}; up to {MOST_SHOWN} of each kind, those first of whose wrong class the network is most certain. "
        "Pictures are the first frames of some of the clips that were tested."
    )
    return [
        Heading(f"{name}: flipped videos"),
        Paragraph(shown if pair.won or pair.lost else "No video is right in one test and wrong in the other."),
        *galleries(outcomes, pair),
        Heading(f"{name}: classes"),
        _class_table(pair),
    ]


def _class_table(pair: Pair) -> Table:
    a, b = LETTERS[pair.first], LETTERS[pair.second]
    rows = [
        [gain.name, signed(gain.gain), f"{gain.first:.1f}", f"{gain.second:.1f}", f"{gain.videos:,}",
         f"{gain.only_first:,}", f"{gain.only_second:,}"]
        for gain in pair.classes
    ]  # fmt: skip
    what = "Average precision" if MAP in pair.measures else "Accuracy"
    caption = (
        f"{what} of each class (%), the largest gain of {b} first (percentage points), and the number of its videos "
        "that only one has right. A class of few videos moves by chance."
    )
    head = ["class", "gain", a, b, "videos", f"only {a} right", f"only {b} right"]
    return Table(head, rows, caption, sortable=True)
