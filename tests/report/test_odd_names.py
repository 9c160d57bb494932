"""Names of norms, sections and classes that no line can hold: tables, pages and figures show them as text."""

from __future__ import annotations

import json
import unicodedata
import warnings

import numpy as np
import pytest
from studies import make_cells, write_study

from videogn.report import markdown_tables, write_report
from videogn.report.confusion_figure import plot_confusion
from videogn.report.style import save_figure
from videogn.study import read_study
from videogn.study.cell import Norm, Section
from videogn.study.cell_files import RESULT_FILE

ODD = "a\n| b\x00\x1b[31m\t\u202ec\u200b\ud800"


def test_a_study(tmp_path):
    folder = tmp_path / "study"
    cells = make_cells(norms=(Norm("bn", variant=ODD), Norm("gn")), clips=[(8, 2)], batches=[8], seeds=[0, 1])
    write_study(folder, sections=[Section(ODD, ODD, cells)], title=ODD)
    for file in folder.rglob(RESULT_FILE):
        content = json.loads(file.read_text())
        for entry in content["test"]["per_class"]:
            entry["class"] += ODD
        file.write_text(json.dumps(content))
    study = read_study(folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib's, of letters that no font has
        page = write_report(study)
    title, *_ = markdown_tables(study).splitlines()
    assert title == r"a\n| b\x00\x1b[31m\t\u202ec\u200b\ud800"
    for text in (markdown_tables(study), page.read_text(), page.with_suffix(".md").read_text()):
        assert not {letter for letter in text if unicodedata.category(letter) in ("Cf", "Cs")}


@pytest.mark.parametrize("name", [ODD, "x" * 100_000])
def test_a_confusion_matrix(tmp_path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = plot_confusion(np.eye(2), [name, "b"])
        path = save_figure(figure, tmp_path / "a.png")
    assert path.stat().st_size > 0
    axes = figure.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        drawn, other = (label.get_text() for label in labels)
        assert other == "b"
        assert drawn.isprintable()
        assert len(drawn) <= 40
        assert name.startswith(drawn[:1])
