"""The matrix of clip lengths: trained on these, tested on those."""

from __future__ import annotations

from typing import Any

from videogn.report.document_blocks import DASH, Block, Heading, Table
from videogn.report.layout import Layout, Row, mean_accuracy
from videogn.report.material import Material, Materials, each_budget
from videogn.report.number_format import mean_within
from videogn.report.statistics import Interval
from videogn.study.cell import Norm
from videogn.study.transfers import ClipOfTest, read_transfers


def transfer_blocks(materials: Materials) -> list[Block]:
    """Write the accuracies at other clip lengths than those of the training; nothing where none was tested."""
    blocks = each_budget([one for one in materials if one.layout.finished], _of_budget)
    return [Heading("Transfer of clip lengths"), *blocks] if blocks else []


def _of_budget(material: Material) -> list[Block]:
    table = transfer_table(material.layout)
    return [] if table is None else [table]


def transfer_table(layout: Layout) -> Table | None:
    """Tabulate top-1: settings of the training down, clips of the test across.

    Args:
        layout: The section.

    Returns:
        The table, or None where every cell was tested on its own clips only.
    """
    found = {(row, norm): _tested(layout, row, norm) for row in layout.rows for norm in layout.norms}
    clips = sorted({clip for tested in found.values() for clip in tested})
    own = {ClipOfTest(row.clip.length, row.clip.interval) for row in layout.rows}
    if not set(clips) - own and all(len(tested) < 2 for tested in found.values()):
        return None
    rows = [
        [*layout.cells(row), layout.labels[norm], *(_accuracy(row, tested, clip) for clip in clips)]
        for (row, norm), tested in found.items()
        if tested
    ]
    head = [*(f"trained on {title}" if number == 0 else title for number, title in enumerate(layout.head)), "norm"]
    spread = ": mean and 95 % interval over seeds" if len(layout.seeds) > 1 else ""
    caption = (
        f"Top-1 accuracy (%) of the same networks, tested on clips of other lengths{spread}. In brackets: the clips "
        "that a network was trained on. A dash: not tested."
    )
    return Table([*head, *(f"tested on {clip.length} x {clip.interval}" for clip in clips)], rows, caption, len(head))


def _tested(layout: Layout, row: Row, norm: Norm) -> dict[ClipOfTest, Interval]:
    """Clips -> accuracy over the seeds; with the clips of the training."""
    tests: dict[ClipOfTest, list[dict[str, Any]]] = {}
    for result in layout.results(row, norm).values():
        tests.setdefault(ClipOfTest(row.clip.length, row.clip.interval), []).append(result.test)
        for clip, transfer in read_transfers(result.folder).items():
            tests.setdefault(clip, []).append(transfer.test)
    found = {clip: mean_accuracy(of_clip) for clip, of_clip in tests.items()}
    return {clip: interval for clip, interval in found.items() if interval is not None}


def _accuracy(row: Row, tested: dict[ClipOfTest, Interval], clip: ClipOfTest) -> str:
    if clip not in tested:
        return DASH
    text = mean_within(tested[clip])
    return f"({text})" if clip == (row.clip.length, row.clip.interval) else text
