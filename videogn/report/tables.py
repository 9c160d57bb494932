"""Tables of accuracy, shaped like the paper's Tables 8, 2 and 3."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

from videogn.report.document_blocks import DASH, Table
from videogn.report.layout import MOST_ACROSS, Layout, Row, accuracies, accuracy, mean_accuracy
from videogn.report.number_format import listing, mean_within
from videogn.study.cell import Norm
from videogn.study.cell_files import CellResult

#: Options of GN that its Table 3 varies.
GROUP_OPTIONS = ("groups", "channels_per_group")


def accuracy_table(layout: Layout) -> Table:
    """Tabulate top-1 / top-5: clip length x interval and batch size down, norms across, as in the paper's Table 8.

    Args:
        layout: The section.

    Returns:
        The table; with more than `MOST_ACROSS` norms these go down and the settings across, as in the paper's Table 2.
        A missing cell is a dash; one with fewer seeds than planned says how many.
    """
    with_top_k = _with_top_k(layout.finished)
    if len(layout.norms) > MOST_ACROSS:
        rows = [
            [label, *(_accuracy(layout, row, norm, with_top_k) for row in layout.rows)]
            for norm, label in layout.labels.items()
        ]
        return Table(["norm", *map(layout.label, layout.rows)], rows, _caption(layout))
    rows = [
        [*layout.cells(row), *(_accuracy(layout, row, norm, with_top_k) for norm in layout.norms)]
        for row in layout.rows
    ]
    return Table([*layout.head, *layout.labels.values()], rows, _caption(layout), len(layout.head))


def group_tables(layout: Layout) -> list[Table]:
    """Tabulate top-1 against an option of a norm with several values, as in the paper's Table 3."""
    tables = []
    for name, option, norms in grouped_norms(layout):
        rows = [
            [*layout.cells(row), *(_accuracy(layout, row, norm, with_top_k=False) for norm in norms.values())]
            for row in layout.rows
        ]
        readable = option.replace("_", " ")
        caption = f"Top-1 accuracy (%) of {name.upper()} against {readable} (columns)."
        tables.append(
            Table([*layout.head, *(f"{readable} {value}" for value in norms)], rows, caption, len(layout.head))
        )
    return tables


def grouped_norms(layout: Layout) -> list[tuple[str, str, dict[int, Norm]]]:
    """(norm's name, option, value -> norm) for every option of `GROUP_OPTIONS` with several values, largest first."""
    found: dict[tuple[str, str], dict[int, Norm]] = {}
    for norm in layout.norms:
        for option in GROUP_OPTIONS:
            if option in dict(norm.options):
                found.setdefault((norm.name, option), {})[int(dict(norm.options)[option])] = norm
    return [
        (name, option, dict(sorted(norms.items(), reverse=True)))
        for (name, option), norms in found.items()
        if len(norms) > 1
    ]


def _caption(layout: Layout) -> str:
    results = layout.finished
    if not results:
        return "No cell is finished."
    k = results[0].test["k_of_top5"]
    what = f"Top-1 / top-{k} accuracy (%)" if _with_top_k(results) else "Top-1 accuracy (%)"
    over = f"{what} over {_videos(results)} test {layout.example}s"
    missing = f" (of {listing(layout.missing_seeds)} no cell is finished)" if layout.missing_seeds else ""
    if len(layout.seeds) == 1:
        return f"{over}. Seed {layout.seeds[0]} only{missing}, so that there is no spread to give."
    seeds = f"Seeds {listing(layout.seeds)}{missing}"
    spread = "mean and 95 % interval over seeds for top-1 (Student's t on logits, seeds - 1 degrees of freedom)"
    agree = " Without width: the seeds happen to agree, as few may by chance." if _any_equal(layout) else ""
    fewer = " n is said where not all seeds are finished." if _some_missing(layout) else ""
    return f"{over}: {spread}. {seeds}.{fewer}{agree}"


def _videos(results: Iterable[CellResult]) -> str:
    return listing(sorted({result.test["over_all"]["videos"] for result in results}))


def _some_missing(layout: Layout) -> bool:
    return any(
        0 < len(layout.results(row, norm)) < layout.planned(row, norm) for row in layout.rows for norm in layout.norms
    )


def _any_equal(layout: Layout) -> bool:
    """Whether all seeds of some cell have the same accuracy."""
    found = [accuracies(layout.results(row, norm)) for row in layout.rows for norm in layout.norms]
    return any(len(values) > 1 and len(set(values)) == 1 for values in found)


def _with_top_k(results: Iterable[CellResult]) -> bool:
    """Top-5 of five classes says nothing."""
    return all(result.test["k_of_top5"] < len(result.test["per_class"]) for result in results)


def _accuracy(layout: Layout, row: Row, norm: Norm, with_top_k: bool) -> str:
    results = layout.results(row, norm)
    top1 = mean_accuracy(result.test for result in results.values())
    if top1 is None:
        return DASH
    text = mean_within(top1)
    top_k = [value for result in results.values() if (value := accuracy(result, "top5")) is not None]
    text += f" / {statistics.mean(top_k):.1f}" if with_top_k and top_k else ""
    return text + (f" (n = {top1.count})" if top1.count < layout.planned(row, norm) else "")
