"""The accuracies of a test, and what they are of, in a table and in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from videogn.evaluation.class_accuracy import mean_class_accuracy
from videogn.evaluation.confusion import most_confused
from videogn.evaluation.proportions import wilson_interval
from videogn.report.document_blocks import DASH, Block, Bullets, Heading, Table
from videogn.report.of_test.probabilities import calibration_of
from videogn.report.of_test.results_folder import ResultsFolder
from videogn.system.displayable import one_line
from videogn.system.sizes import counted


def percent(value: float | None) -> str:
    """Write a share in per cent: "73.8"."""
    return DASH if value is None else f"{100 * value:.1f}"


def interval(share: float | None, videos: int) -> str:
    """Write Wilson's 95 % interval of a share of videos, in per cent: "66.4 to 80.0"."""
    if share is None or not videos:
        return DASH
    low, high = wilson_interval(share, videos)
    return f"{percent(low)} to {percent(high)}"


def accuracy_blocks(results: ResultsFolder) -> list[Block]:
    """Tabulate the accuracies of results.json, with intervals."""
    over = results.summary["over_all"], results.summary["over_decodable"]
    rows = [_row(results, name, key, over) for name, key in _metrics(results)]
    if all(cell == DASH for row in rows for cell in row[1:]):
        return []
    clips = results.summary.get("per_clip_top1")
    if clips is not None:
        rows.append(["top-1 of single clips", DASH, DASH, percent(clips), DASH])
    tested = f"all {counted(over[0]['videos'], 'video')}, of which a failed one counts as wrong"
    if results.summary["counts"]["not_tested"]:
        tested = "all videos (not known: some were not tested)"
    caption = f"Per cent, over {tested}, and over the {over[1]['videos']:,} that decode."
    if results.several_labels:
        return [
            Heading("Accuracy"),
            Table(["", "all videos", "videos that decode"], [rows[0][:2] + rows[0][3:4]], caption),
        ]
    intervals = (
        "Intervals: Wilson's, 95 %, over videos: where the accuracy of other videos like these would lie. They say "
        "nothing of other training runs."
    )
    head = ["", "all videos", "95 % interval", "videos that decode", "95 % interval"]
    return [Heading("Accuracy"), Table(head, rows, f"{caption} {intervals}")]


def summary_block(results: ResultsFolder) -> Bullets:
    """Say in sentences what came out."""
    return Bullets([*_accuracy_sentences(results), *_class_sentences(results), *_other_sentences(results)])


def _metrics(results: ResultsFolder) -> list[tuple[str, str]]:
    if results.several_labels:
        return [("mean average precision (mAP)", "map")]
    top5 = [(f"top-{results.k}", "top5")] if results.k is not None else []
    return [("top-1", "top1"), *top5, ("mean-class accuracy", "mean_class_accuracy")]


def _row(results: ResultsFolder, name: str, key: str, over: tuple[Mapping[str, Any], Mapping[str, Any]]) -> list[str]:
    cells = [name]
    for which, accuracies in enumerate(over):
        value = accuracies.get(key)
        if value is None and key == "mean_class_accuracy" and which == 1:  # not written by earlier versions
            of_classes = [(row.get("top1") or 0.0, row["videos"]) for row in results.summary["per_class"]]
            value = mean_class_accuracy([top1 * n for top1, n in of_classes], [n for _, n in of_classes])
        of_videos = key in ("top1", "top5")
        cells += [percent(value), interval(value, accuracies["videos"]) if of_videos else DASH]
    return cells


def _accuracy_sentences(results: ResultsFolder) -> Iterator[str]:
    summary = results.summary
    for over, which in (("over_all", "all"), ("over_decodable", "the")):
        known, videos = summary[over], counted(summary[over]["videos"], "video")
        suffix = "" if which == "all" else " that decode"
        if known.get("map") is not None:
            yield f"mAP {percent(known['map'])} % over {which} {videos}{suffix}."
            return
        if known.get("top1") is not None:
            ends = interval(known["top1"], known["videos"])
            top5 = "" if results.k is None else f", top-{results.k} {percent(known['top5'])} %"
            yield (
                f"Top-1 {percent(known['top1'])} % (95 % interval over videos {ends}){top5}, over {which} "
                f"{videos}{suffix}."
            )
            return
    nothing = "no video with a label was tested" if summary["counts"]["expected"] else "there were no videos"
    yield f"No accuracy is known: {nothing}."


def _class_sentences(results: ResultsFolder) -> Iterator[str]:
    key = "average_precision" if results.several_labels else "top1"
    name = "average precision" if results.several_labels else "top-1"
    known = [row for row in results.summary["per_class"] if row["videos"] and row.get(key) is not None]
    if len({row[key] for row in known}) > 1:
        low, high = (pick(known, key=lambda row: row[key]) for pick in (min, max))
        ends = (f"{one_line(row['class'])} ({percent(row[key])} % of {row['videos']:,})" for row in (low, high))
        yield f"By class, {name} goes from {' to '.join(ends)}."
    for pair in most_confused(results.confusion, 1):
        true, predicted = one_line(results.classes[pair.true]), one_line(results.classes[pair.predicted])
        share = f"{counted(pair.videos, 'video')}, {percent(pair.share)} % of this class"
        yield f"Most often, {true} is taken for {predicted} ({share})."


def _other_sentences(results: ResultsFolder) -> Iterator[str]:
    if not results.several_labels and (found := calibration_of(results))["ece"] is not None:
        gap = sum(one["videos"] * (one["confidence"] - one["top1"]) for one in found["bins"]) / found["videos"]
        how = f"{percent(abs(gap))} points {'above its accuracy (over' if gap > 0 else 'below its accuracy (under'}"
        distance = f"on average {how}-confident)" if percent(abs(gap)) != "0.0" else "on average its accuracy"
        yield f"The probability of the best class is {distance}; expected calibration error {percent(found['ece'])} %."
    counts = results.summary["counts"]
    lost = [
        f"{counted(counts[key], 'video')} {words}"
        for key, words in (
            ("failed", "did not decode"),
            ("without_scores", "got no finite scores"),
            ("not_tested", "were not tested"),
            ("unlabelled", "had no label"),
        )
        if counts.get(key)
    ]
    if lost:
        yield f"{'; '.join(lost)}."
