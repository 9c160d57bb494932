"""A study of more norms than fit side by side: its table, its summary and its figures."""

from __future__ import annotations

import struct
import warnings

import pytest
from studies import make_cells, write_study

from videogn.report.clip_counts import ClipFiles
from videogn.report.differences import differences
from videogn.report.document import write_report
from videogn.report.layout import Layout, accuracies
from videogn.report.statistics import holm
from videogn.report.summary import summarise
from videogn.report.tables import accuracy_table
from videogn.study.cell import Norm, Section

NORMS = [Norm("bn"), *(Norm("mabn", (("warmup", 50), ("window", number))) for number in range(1, 13))]


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    cells = make_cells(norms=NORMS, clips=[(8, 2)], batches=(8, 2), seeds=(0, 1))
    return write_study(tmp_path_factory.mktemp("many") / "study", sections=[Section("16 epochs", "", cells)])


def test_norms_go_down_as_in_table_2(study):
    (layout,) = Layout.of_study(study)
    table = accuracy_table(layout)
    assert table.head == ["norm", "8 x 2, batch 8", "8 x 2, batch 2"]
    assert [row[0] for row in table.rows] == [layout.labels[norm] for norm in NORMS]
    for row, norm in zip(table.rows, NORMS, strict=True):
        for text, place in zip(row[1:], layout.rows, strict=True):
            values = accuracies(layout.results(place, norm))
            assert text.startswith(f"{sum(values) / len(values):.1f} [")


def test_the_summary_gives_their_order_and_which_differ(study):
    (layout,) = Layout.of_study(study)
    found = differences(layout, ClipFiles())
    for row in layout.rows:
        (said,) = (text for text in summarise(layout, found) if text.startswith(f"8 x 2, batch {row.batch_size}, mean"))
        order, _, differing = said.partition(". Differences with p (Holm) below 0.05: ")
        means = [float(part.rpartition(": ")[2]) for part in order.partition("best first: ")[2].split("; ")]
        assert means == sorted(means, reverse=True)
        assert len(means) == len(NORMS)
        own = [one for one in found.norms if one.row == row]
        clear = [one.name for one, p in zip(own, holm([one.contrast.p for one in own]), strict=True) if p < 0.05]
        assert differing == f"{'; '.join(clear) or 'none'}."


def test_figures_have_room_for_panels_beside_a_long_legend(study):
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Matplotlib warns of axes that collapse
        write_report(study)
    sizes = {}
    for path in (study.folder / "figures").iterdir():
        width, height = struct.unpack(">II", path.read_bytes()[16:24])  # of a PNG's first chunk
        sizes[path.name] = (width, height)
    assert sizes["batch_size.png"][1] > sizes["batch_size.png"][0] / 2
    assert sizes["validation_error.png"][0] < 2500  # not all panels side by side
