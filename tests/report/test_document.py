"""The whole report, finished or not."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys

import pytest
from matplotlib.figure import Figure
from PIL import Image
from studies import make_cells, write_study

from videogn.report import write_report
from videogn.study.budget import Budget
from videogn.study.cell import Norm, Section
from videogn.study.study_files import read_study

FIGURES = {"batch_size.png", "classes.png", "validation_error.png", "test_clips.png", "cost.png", "frontier.png"}


@pytest.fixture(autouse=True)
def _blank(request, monkeypatch):
    """Figures are made, and saved as a white picture in a fifth of the time; tests marked `draws` draw them."""
    if request.node.get_closest_marker("draws") is None:
        monkeypatch.setattr(
            Figure, "savefig", lambda figure, path, **_: Image.new("RGB", (8, 8), "white").save(path, "PNG")
        )


def _write(folder, **options):
    """(Markdown, HTML) of a made-up study."""
    path = write_report(write_study(folder, **options))
    assert path == folder / "report.html"
    pages = (folder / "report.md").read_text(encoding="utf-8"), path.read_text(encoding="utf-8")
    for name in re.findall(r"\]\((figures/[^)]*)\)", pages[0]):
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
            assert picture.convert("RGB").getpixel((1, 1)) == (255, 255, 255)
    assert len(re.findall(r"<img [^>]*alt=\"[^\"]{10,}\" src=\"data:image/png;base64,", pages[1])) == pages[1].count(
        "<img"
    )
    assert not re.search(r"(src|href)\s*=\s*[\"']?(https?:)?//", pages[1])
    return pages


def _names(folder):
    return {path.name for path in (folder / "figures").iterdir()}


@pytest.mark.draws
def test_a_finished_study(tmp_path):
    markdown, page = _write(tmp_path / "s")
    assert _names(tmp_path / "s") == FIGURES
    assert {path.name for path in (tmp_path / "s").iterdir()} == {
        "cells", "figures", "plan.json", "report.html", "report.md", "study.json"
    }  # fmt: skip
    for text in (markdown, page):
        assert "All 36 cells are finished, with 3 seeds (0, 1 and 2)" in text
        assert re.search(r"Clips of 8 x 2, from batch 8 to batch 2: BN falls by \d+\.\d points \(−", text)
        assert re.search(r"GN changes by [+−]\d\.\d points \(−\d+\.\d to \+\d+\.\d, which includes 0\)", text)
        assert "corrected by Holm for all 18 of the table" in text
        assert "Kinetics-400 validation, ResNet-50 I3D" in text
        assert "Warning" not in text
        for said in ("not measured here", "videogn study grid.yaml", "AMD EPYC", "2.9.0", "SHA-256", "nonlocal"):
            assert said in text
        assert "The paper's Table 1" not in text
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert '<meta name="viewport"' in page


@pytest.mark.draws
def test_an_unfinished_study(tmp_path):
    cells = make_cells()
    reason = "<b>x</b> | \x1b[31m_y_ https://example.org/z"
    title = "A <i>title</i> & *more*"
    missing = [*(cell for cell in cells if cell.setting == (8, 2, 2) and cell.norm.name == "bn"), cells[-1]]
    markdown, page = _write(tmp_path / "s", missing=missing, plan=False, reason=reason, title=title)
    assert "# A \\<i\\>title\\</i\\> &amp; \\*more\\*" in markdown
    assert "<h1>A &lt;i&gt;title&lt;/i&gt; &amp; *more*</h1>" in page
    assert "| failed | \\<b\\>x\\</b\\> \\| \\_y\\_ https://example.org/z |" in markdown
    assert "&lt;b&gt;x&lt;/b&gt; | _y_ https://example.org/z" in page
    assert "32 of 36 cells are finished" in markdown
    assert re.search(r"\| 8 x 2 \| 2 \| – \| \d", markdown)
    assert markdown.count("| waiting | – |") == 3
    assert "frontier.png" not in _names(tmp_path / "s")


def test_nothing_is_finished(tmp_path):
    cells = make_cells()
    markdown, _ = _write(tmp_path / "s", missing=cells, plan=False)
    assert "None of 36 cells is finished." in markdown
    assert markdown.count("| 8 x 2 | 8 | – | – |") == 1


def test_one_seed_few_classes_one_norm(tmp_path):
    cells = make_cells(norms=[Norm("gn")], seeds=(7,))
    markdown, _ = _write(tmp_path / "s", sections=[Section("s", "", cells)], classes=4, on_device=True)
    assert "One seed (7): how much other training runs would differ is not known" in markdown
    assert "over videos" in markdown
    assert "Top-1 accuracy (%)" in markdown
    assert "McNemar" not in markdown
    assert "on the device, as PyTorch's allocator counts it" in markdown


def test_one_seed_without_clip_files_has_no_intervals(tmp_path):
    cells = make_cells(seeds=(7,))
    markdown, _ = _write(tmp_path / "s", sections=[Section("s", "", cells)], without_clips=cells)
    assert "no interval: one seed, and not both clip files" in markdown
    assert "test_clips.png" not in _names(tmp_path / "s")
    assert "A dash: a cell's clip file is missing" in markdown


@pytest.mark.draws
def test_groups_many_norms_and_two_budgets(tmp_path):
    grouped = [Norm("gn", (("groups", groups),)) for groups in (32, 8, 1)]
    several = [Norm("bn"), Norm("gn"), Norm("ln")]
    minutes = Budget("minutes", 2.5)
    sections = [
        Section("groups", "", make_cells(norms=[Norm("bn"), *grouped], batches=(8, 2), clips=[(8, 2)])),
        Section("minutes", "A note.", make_cells(norms=several, clips=[(8, 2)], seeds=(0,), budget=minutes)),
    ]
    markdown, page = _write(tmp_path / "s", sections=sections)
    twice = {name.replace(".png", "_2.png") for name in FIGURES - {"frontier.png"}}
    assert _names(tmp_path / "s") == FIGURES | twice | {"groups_gn_groups.png"}
    assert "Top-1 accuracy (%) of GN against groups" in markdown
    assert "The paper's Table 3" in markdown
    assert "The paper's Table 1" in markdown
    assert "BN − (GN, groups 8)" in markdown
    assert page.index('<h3 id="groups">') < page.index('<h3 id="minutes">') < page.index('<h2 id="appendix">')


def test_files_that_contradict_one_another_are_named(tmp_path):
    study = write_study(tmp_path / "s")
    cells = list(study.results)
    other, own = study.results[cells[0]].clips_file, study.results[cells[4]].clips_file
    own.write_bytes(other.read_bytes())
    study.results[cells[1]].test["index_sha256"] = "b" * 64
    write_report(study)
    markdown = (tmp_path / "s" / "report.md").read_text(encoding="utf-8")
    assert f"Warning: the clip file does not give the accuracy of the test: {cells[4].name}." in markdown
    assert "Warning: not all cells were tested on the same list of videos" in markdown


def test_earlier_grids_are_shown(tmp_path):
    study = write_study(tmp_path / "s", plan=False)
    earlier = (("videogn study run first", "axes: {seed: 0}"), ("videogn study run second", "axes: {seed: 1}"))
    write_report(dataclasses.replace(study, earlier=earlier))
    markdown = (tmp_path / "s" / "report.md").read_text(encoding="utf-8")
    assert markdown.count("An earlier command, and its grid:") == 2
    assert markdown.index("videogn study run second") < markdown.index("videogn study run first")


@pytest.mark.draws
def test_it_is_written_again(tmp_path):
    """From the same files the same pages."""
    first = _write(tmp_path / "s")
    write_report(read_study(tmp_path / "s"))
    again = [(tmp_path / "s" / name).read_text(encoding="utf-8") for name in ("report.md", "report.html")]
    assert list(first) == again


@pytest.mark.parametrize("module", ["videogn.report", "videogn.report.percentile_figure"])
def test_reporting_does_not_need_torch_and_starts_without_scipy(module):
    code = f"import sys, {module}; sys.exit(bool({{'torch', 'lightning', 'scipy'}} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_writing_a_report_does_not_import_torch(tmp_path):
    write_study(tmp_path / "s", sections=[Section("s", "", make_cells(batches=(8, 2), seeds=(0,)))])
    code = (
        "import sys; from videogn.report import write_report; from videogn.study.study_files import read_study; "
        f"write_report(read_study({str(tmp_path / 's')!r})); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
