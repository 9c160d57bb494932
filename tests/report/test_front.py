"""The first screens of a report, and what of it stands in the appendix once: sense rather than numbers."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from matplotlib.colors import to_hex
from studies import make_cells, write_study

from videogn.choices import CLIP_NORMS
from videogn.norm import NORMS, make_norm
from videogn.report import frontier
from videogn.report.clip_counts import ClipFiles
from videogn.report.differences import difference_table, differences, explanation
from videogn.report.document import report_blocks
from videogn.report.document_blocks import Heading, Table
from videogn.report.layout import Layout
from videogn.report.markdown import render_markdown
from videogn.report.provenance import cell_blocks
from videogn.report.qualifications import qualifications
from videogn.report.style import norm_styles
from videogn.report.summary import summarise
from videogn.report.tables import accuracy_table
from videogn.study.cell import Norm, Section

STEPS = "steps of 8 clips"
BATCHES = "a step after every batch"


def _layouts(folder, *sections, **options):
    return Layout.of_study(write_study(folder, sections=[Section(*section) for section in sections], **options))


def _step_a_batch(cells):
    return tuple(dataclasses.replace(cell, accumulate=1) for cell in cells)


@pytest.fixture(scope="module")
def two_budgets(tmp_path_factory):
    cells = make_cells(clips=[(8, 2)], batches=(8, 2), seeds=(0, 1))
    sections = [Section(STEPS, "", cells), Section(BATCHES, "", _step_a_batch(cells))]
    return write_study(tmp_path_factory.mktemp("front") / "study", sections=sections)


def test_two_budgets_share_two_screens_and_an_appendix(two_budgets):
    blocks = report_blocks(two_budgets)
    titles = [(block.text, block.level) for block in blocks if isinstance(block, Heading)]
    assert titles[1:6] == [("In short", 2), ("Accuracy", 2), (STEPS, 3), (BATCHES, 3), ("Appendix", 2)]
    parts = [text for text, level in titles if level == 3]
    assert len(parts) == len(set(parts))
    text = render_markdown(blocks, two_budgets.folder)
    assert len(text.partition("## Appendix")[0].split()) < 700
    for said_once in ("Student's t of the seeds", "Planned: tensors of a training step.", "floor(j V / n)", "Figure 7"):
        assert text.count(said_once) == 1


def test_settings_with_the_same_cells_under_two_budgets_stand_once(two_budgets):
    first, second = Layout.of_study(two_budgets)
    assert [row.batch_size for row in first.new_rows] == [8, 2]
    assert [row.batch_size for row in second.rows] == [8, 2]
    assert [row.batch_size for row in second.new_rows] == [2]
    tables = [block for block in report_blocks(two_budgets) if isinstance(block, Table)]
    assert [len(table.rows) for table in tables if "planned peak" in table.head] == [4, 2]


def test_a_norm_that_is_flat_by_construction_is_said_to_be(two_budgets):
    first, second = Layout.of_study(two_budgets)
    (said,) = qualifications(first)
    assert said.startswith("GN is flat by construction here")
    assert qualifications(second) == []
    blocks = report_blocks(two_budgets)
    place = next(number for number, block in enumerate(blocks) if isinstance(block, Table))
    assert said in blocks[place + 1].items  # below the table that it qualifies


@pytest.mark.parametrize("name", sorted(NORMS.keys() - {"sub_bn"}))  # that one's option decides
def test_norms_that_look_at_each_clip_alone(name):
    norm, clips = make_norm(name), torch.randn(4, 64, 2, 3, 3)
    clips = clips * torch.arange(1.0, 5).view(4, 1, 1, 1, 1) * torch.arange(1.0, 65).view(1, 64, 1, 1, 1)
    together, alone = norm(64).train(), norm(64).train()
    for _ in range(2):  # the first batch may only change estimates
        outputs = together(clips), torch.cat([alone(clip[None]) for clip in clips])
    assert torch.allclose(*outputs, atol=1e-5) == (name in CLIP_NORMS)


def test_unequal_memory_stands_below_the_accuracies(tmp_path):
    cells = make_cells(clips=[(8, 2), (16, 1)], batches=(8,), seeds=(0,))
    (layout,) = _layouts(tmp_path / "s", (STEPS, "", cells))
    needs = {("bn", 8): 1.5, ("gn", 8): 2.0, ("bn", 16): 3.1, ("gn", 16): 5.1}
    for result in layout.finished:
        result.planned["peak_bytes"] = round(needs[result.cell.norm.name, result.cell.clip_length] * 2**30)
    (said,) = qualifications(layout)
    assert "GN is planned to need 5.1 GiB where BN needs 3.1 GiB (16 x 1, batch 8)" in said


def test_one_seed_has_no_interval_over_seeds_in_a_title(tmp_path):
    cells = make_cells(clips=[(8, 2)], batches=(8,), seeds=(3,))
    (layout,) = _layouts(tmp_path / "s", (STEPS, "", cells))
    found = differences(layout, ClipFiles()).norms
    assert difference_table(layout, found, "").head[3:] == ["difference (one seed)", "95 % over videos"]
    assert "over seeds" not in explanation(found)


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({2}, "Seeds 0 and 1 (of 2 no cell is finished)."),
        ({1, 2}, "Seed 0 only (of 1 and 2 no cell is finished), so that there is no spread to give."),
    ],
)
def test_a_study_in_part_speaks_of_the_same_seeds_everywhere(tmp_path, missing, said):
    cells = make_cells(clips=[(8, 2)], batches=(8,))
    missing = [cell for cell in cells if cell.seed in missing]
    (layout,) = _layouts(tmp_path / "s", (STEPS, "", cells), missing=missing)
    assert said in accuracy_table(layout).caption
    first = summarise(layout, differences(layout, ClipFiles()))[0]
    assert ("2 seeds (0 and 1)" if len(layout.seeds) == 2 else "One seed (0)") in first


def test_a_norm_has_one_colour_in_all_figures(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(frontier, "save_figure", lambda figure, path: drawn.append(figure) or path)
    norms = [Norm("bn"), Norm("gn"), Norm("ws+gn")]
    styles = norm_styles(norms)
    row = {"model": "m", "crop": 32, "precision": "32", "memory_mode": "plain"}
    rows = [
        {**row, "norm": norm, "clip_length": length, "largest_batch": largest // length}
        for norm, largest in (("BN", 512), ("WS+GN", 256), ("GN", 512)) for length in (8, 16)
    ]  # fmt: skip
    frontier.plot_frontier(rows, 2**30, tmp_path / "f.png", {norm.label: styles[norm]["color"] for norm in norms})
    lines = {line.get_label(): to_hex(line.get_color()) for line in drawn[0].axes[0].lines}
    grey = to_hex("0.3")
    assert lines == {"BN = GN": grey, "WS+GN": to_hex(styles[norms[2]]["color"])}
    assert grey not in {to_hex(style["color"]) for style in styles.values()}


def test_cells_lead_to_the_pages_of_their_tests(tmp_path):
    cells = make_cells(clips=[(8, 2)], batches=(8,), seeds=(0,))
    study = write_study(tmp_path / "s", sections=[Section(STEPS, "", cells)], failed_videos=0)
    table = cell_blocks(study)[1]
    assert table.links == ()
    assert table.head == ["cell", "top-1", "top-1 of single clips"]
    assert "Each took one run. All videos decoded." in table.caption
    (study.results[cells[0]].folder / "report.html").touch()
    blocks = cell_blocks(study)
    assert blocks[1].links == [f"cells/{cells[0].name}/report.html", None]
    text = render_markdown(blocks, study.folder)
    assert f"| [{cells[0].name}](cells/{cells[0].name}/report.html) |" in text
    assert f"| {cells[1].name} |" in text
