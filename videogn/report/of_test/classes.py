"""The classes of a test: how well each is known, and which are taken for which."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from videogn.evaluation.confusion import confused_order, most_confused
from videogn.report.confusion_figure import plot_confusion
from videogn.report.document_blocks import DASH, Block, Heading, Picture, Table
from videogn.report.of_test.accuracy import interval, percent
from videogn.report.of_test.results_folder import ResultsFolder
from videogn.report.style import save_figure
from videogn.system.displayable import one_line

#: Pairs of classes in the table.
_PAIRS = 30


def class_blocks(results: ResultsFolder, figures: Path) -> list[Block]:
    """Tabulate every class, and show which are taken for which."""
    if results.several_labels:
        return [Heading("Classes"), _precision_table(results)]
    if not any(row["videos"] for row in results.summary["per_class"]):
        return []
    order = confused_order(results.confusion)
    blocks: list[Block] = [Heading("Classes"), _class_table(results, order)]
    if len(order) < 2 or not results.confusion.any():
        return blocks
    names = [one_line(results.classes[number]) for number in order]
    figure = plot_confusion(results.confusion[np.ix_(order, order)], names)
    caption = (
        "Confusion matrix over the videos with a label and scores. Classes that are taken for one another stand "
        "together; the table above says at which line each class stands. The colour is a share of the class's videos, "
        "on a scale that shows one in a hundred."
    )
    picture = Picture(save_figure(figure, figures / "confusion.png"), caption, "Confusion matrix of all classes.")
    return [*blocks, Heading("Confusions", 3), picture, *_pairs(results)]


def _precision_table(results: ResultsFolder) -> Table:
    rows = [
        [one_line(row["class"]), f"{row['videos']:,}", percent(row["average_precision"])]
        for row in results.summary["per_class"]
    ]
    caption = (
        "Average precision (%) of each class: how far the videos that show it are ranked before those that do not. "
        "Videos: those that show it and decode. In the page, a click on a column's title sorts by it."
    )
    return Table(["class", "videos", "average precision"], rows, caption, sortable=True)


def _class_table(results: ResultsFolder, order: np.ndarray) -> Table:
    wrong = results.confusion - np.diag(np.diag(results.confusion))
    lines = np.argsort(order)
    rows = []
    for number, row in enumerate(results.summary["per_class"]):
        other, line = int(wrong[number].argmax()), int(lines[number])
        taken = f"{one_line(results.classes[other])} ({wrong[number, other]:,})" if wrong[number, other] else DASH
        numbers = [f"{row['videos']:,}", percent(row["top1"]), interval(row["top1"], row["videos"]), f"{line:,}"]
        rows.append([one_line(row["class"]), taken, *numbers])
    caption = (
        "Top-1 accuracy (%) of each class over its videos that decode, with Wilson's 95 % interval; the class that its "
        "videos are most often taken for, and how many; its line in the confusion matrix, from 0. In the page, a click "
        "on a column's title sorts by it."
    )
    head = ["class", "most often taken for", "videos", "top-1", "95 % interval", "line"]
    return Table(head, rows, caption, 2, sortable=True)


def _pairs(results: ResultsFolder) -> list[Block]:
    pairs = most_confused(results.confusion, _PAIRS)
    rows = [
        [
            one_line(results.classes[pair.true]),
            one_line(results.classes[pair.predicted]),
            f"{pair.videos:,}",
            percent(pair.share),
            f"{results.confusion[pair.predicted, pair.true]:,}",
        ]
        for pair in pairs
    ]
    head = ["class", "taken for", "videos", "of its videos (%)", "the other way round"]
    every = int(np.count_nonzero(results.confusion)) - int(np.count_nonzero(np.diag(results.confusion)))
    which = "All" if every <= _PAIRS else f"The most frequent {_PAIRS} of {every:,}"
    return [Table(head, rows, f"{which} confusions.", 2)] if rows else []
