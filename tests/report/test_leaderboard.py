"""The tables that leave the page: cells of several studies, the matrix of clip lengths, CSV and LaTeX."""

from __future__ import annotations

import csv
import io

import pytest
from studies import make_cells, write_study, write_transfer

from videogn.report import leaderboard
from videogn.report.document_blocks import Heading, Table
from videogn.report.layout import Layout
from videogn.report.leaderboard import COLUMNS, SHORT, leaderboard_csv, leaderboard_rows
from videogn.report.table_formats import csv_table, latex_table, write_tables
from videogn.report.transfer import transfer_table
from videogn.study.cell import Section
from videogn.study.study_files import read_study

#: Others read them: a column may be added at the end, and none renamed, moved or removed.
NAMES = [
    "study", "cell", "state", "norm", "clip_length", "interval", "batch_size", "seed", "top1", "top5", "videos",
    "folder", "title", "budget", "clips_per_step", "accumulate", "devices", "scaling", "schedule", "memory_mode",
    "init", "norm_options", "arch", "classes", "test_num_clips", "test_crops", "per_clip_top1", "failed_videos",
    "other_clips_top1", "training_seconds", "testing_seconds", "steps", "clips", "planned_peak_bytes",
    "peak_device_bytes", "peak_process_bytes", "index_sha256",
]  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    cells = make_cells(clips=[(8, 2), (16, 1)], batches=(8,), seeds=(0, 1))
    folder = tmp_path_factory.mktemp("leaderboard") / "first"
    study = write_study(folder, sections=[Section("s", "", cells)], missing=cells[-1:], plan=False)
    for cell, top1 in ((cells[0], 0.25), (cells[4], 0.5)):  # BN, 8 x 2, both seeds
        write_transfer(study, cell, (16, 1), top1)
    return study


def test_columns_keep_their_names():
    assert list(COLUMNS) == NAMES
    assert list(SHORT) == NAMES[:11]


def test_shares_are_written_without_the_rounding_of_float64():
    row = {**dict.fromkeys(COLUMNS), "top1": 100 * 0.60625}
    assert row["top1"] != 60.625
    assert next(csv.DictReader(io.StringIO(leaderboard_csv([row]))))["top1"] == "60.625"


def test_one_row_a_cell_over_several_studies(study, tmp_path, videogn, capsys):
    other = write_study(tmp_path / "other", sections=[Section("s", "", make_cells(batches=(8,), seeds=(0,)))])
    assert videogn("study", "table", study.folder, other.folder, "--output", tmp_path / "all.csv") == 0
    assert capsys.readouterr().out == f"12 cells: {tmp_path / 'all.csv'}\n"
    rows = list(csv.DictReader(io.StringIO((tmp_path / "all.csv").read_text())))
    assert list(rows[0]) == NAMES
    assert [row["study"] for row in rows] == ["first"] * 8 + ["other"] * 4
    result = study.results[study.cells[0]]
    first = rows[0]
    assert (first["cell"], first["state"], first["norm"]) == (study.cells[0].name, "finished", "bn")
    assert float(first["top1"]) == pytest.approx(100 * result.test["over_all"]["top1"])
    assert (first["other_clips_top1"], first["failed_videos"], first["classes"]) == ("16x1=25.00", "3", "8")
    assert int(first["planned_peak_bytes"]) == result.planned["peak_bytes"]
    failed = rows[7]
    assert (failed["state"], failed["top1"], failed["videos"], failed["seed"]) == ("failed", "", "", "1")


def test_markdown_for_people(study, videogn, capsys):
    assert videogn("study", "table", study.folder, "--format", "md") == 0
    head, _, first, *_ = capsys.readouterr().out.splitlines()
    assert head == f"| {' | '.join(name.replace('_', '_') for name in NAMES[:11])} |"
    assert first.startswith(f"| first | {study.cells[0].name} | finished | bn | 8 | 2 | 8 | 0 | ")


def test_values_with_commas_stay_in_their_column(study):
    rows = leaderboard_rows([study])
    rows[0]["title"] = 'a, "b"\nc'
    assert next(csv.DictReader(io.StringIO(leaderboard_csv(rows))))["title"] == 'a, "b"\nc'
    assert set(leaderboard.LEADERBOARD_FORMATS) == {"csv", "md"}


def test_the_matrix_of_clip_lengths(study):
    """By hand: 25 and 50 % are 37.5, and with 12.706 for t and few videos the interval is nearly everything."""
    layout = Layout(study.sections[0], study.results)
    table = transfer_table(layout)
    assert table.head == ["trained on clip length x interval", "batch size", "norm", "tested on 8 x 2",
                          "tested on 16 x 1"]  # fmt: skip
    assert table.rows[0][:3] == ["8 x 2", "8", "BN"]
    assert table.rows[0][4] == "37.5 [0.0, 100.0]"
    assert table.rows[0][3].startswith("(")
    assert table.rows[1][4] == "–"
    assert table.rows[2][:3] == ["16 x 1", "8", "BN"]
    assert (table.rows[2][3], table.rows[2][4][0]) == ("–", "(")


def test_without_other_tests_there_is_no_matrix(tmp_path):
    cells = make_cells(clips=[(8, 2), (16, 1)], batches=(8,), seeds=(0,))
    study = write_study(tmp_path / "s", sections=[Section("s", "", cells)], plan=False)
    assert transfer_table(Layout(study.sections[0], study.results)) is None
    write_transfer(study, cells[0], (32, 1), 0.5)
    table = transfer_table(Layout(study.sections[0], read_study(study.folder).results))
    assert table.head[-1] == "tested on 32 x 1"


TABLE = Table(["clip, norm_x", "A & B"], [["8 x 2", "−1.5 ± 0.2"], ["100 %", "–"]], "A\ncaption.")


def test_csv():
    assert csv_table(TABLE) == '"clip, norm_x",A & B\n8 x 2,-1.5 ± 0.2\n100 %,\n'


@pytest.mark.parametrize(
    ("name", "written"),
    [
        (
            r"50 % & a_b # $x$ {y} ~ ^ \n",
            r"50 \% \& a\_b \# \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}n",
        ),
        ("[2pt]", "{[}2pt]"),  # after the \\ of the row before, a distance
        ("*", "{*}"),
        ("two\n\nlines\t", "two lines"),  # an empty line ends a paragraph
        ("Zähneputzen 跳", "Zähneputzen 跳"),
        ("a\u202eb", "a\ufffdb"),  # letters from right to left, to the end of the table
    ],
)
def test_names_in_latex(name, written):
    lines = latex_table(Table(["class"], [[name]], "50 %\nof\\all", 1)).splitlines()
    assert lines[0] == r"% 50 % of\all"
    assert lines[5] == rf"{written} \\"
    assert len(lines) == 8


def test_latex():
    assert latex_table(TABLE).splitlines() == [
        "% A caption.",
        r"\begin{tabular}{lr}",
        r"\toprule",
        r"clip, norm\_x & A \& B \\",
        r"\midrule",
        r"8 x 2 & $-$1.5 $\pm$ 0.2 \\",
        r"100 \% & -- \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]


def test_tables_are_files_named_by_their_headings(tmp_path):
    blocks = [Heading("Title", 1), Heading("Accuracy"), Heading("24 epochs, a", 3), TABLE, Heading("Appendix"),
              Heading("Cost", 3), TABLE, TABLE]  # fmt: skip
    written = write_tables(blocks, tmp_path / "tables", ["csv", "latex"])
    assert [path.name for path in written] == [
        f"{name}{suffix}"
        for name in ("accuracy-24-epochs-a", "cost", "cost-2")
        for suffix in (".csv", ".tex")
    ]  # fmt: skip
    assert all(path.is_file() for path in written)
    assert write_tables(blocks, tmp_path / "none", []) == []
    assert not (tmp_path / "none").exists()


def test_a_study_writes_its_tables_when_asked(study, videogn):
    assert videogn("study", "report", study.folder, "--tables", "csv", "latex") == 0
    names = {path.name for path in (study.folder / "tables").iterdir()}
    assert {"accuracy.csv", "accuracy.tex", "transfer-of-clip-lengths.csv", "every-cell.csv"} <= names
    assert "## Transfer of clip lengths" in (study.folder / "report.md").read_text()
