"""Markdown says what the text says, and nothing that the text did not mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from videogn.report.document_blocks import Bullets, Code, Heading, Paragraph, Picture, Table
from videogn.report.markdown import markdown_table, render_markdown
from videogn.report.page import render_page

HERE = Path("/study")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("gn_8x2_batch2 _emphasis_", "gn_8x2_batch2 \\_emphasis\\_"),
        ("a | b * c < d & e", "a \\| b \\* c \\< d &amp; e"),
        ("# no heading", "\\# no heading"),
        ("- no list", "\\- no list"),
        ("1. no list", "1\\. no list"),
        ("two\nlines", "two lines"),
        ("\x1b[31mred\x1b[0m \x07", "red \N{REPLACEMENT CHARACTER}"),
        ("lone \udcff", "lone \\\\udcff"),
    ],
)
def test_text(text, written):
    assert render_markdown([Paragraph(text)], HERE) == written + "\n"


def test_every_block():
    blocks = [
        Heading("T", 1), Paragraph("p"), Bullets(["a", "b"]), Table(["x", "y"], [["1", "2|3"]], "c"),
        Picture(HERE / "figures" / "f.png", "c", "alt"), Code("a ``` b"),
    ]  # fmt: skip
    assert render_markdown(blocks, HERE) == (
        "# T\n\np\n\n- a\n- b\n\nc\n\n| x | y |\n| --- | ---: |\n| 1 | 2\\|3 |\n\n"
        "![alt](figures/f.png)\n\nc\n\n````\na ``` b\n````\n"
    )
    assert markdown_table(blocks[3]).endswith("|\n")


def test_html_is_escaped_and_has_contents():
    blocks = [Heading("<T>", 1), Heading("A & B"), Heading("x", 3), Heading("A & B"), Paragraph('<script>"')]
    page = render_page(blocks)
    assert "<title>&lt;T&gt;</title>" in page
    assert "<p>&lt;script&gt;&quot;</p>" in page
    assert "<script" not in page
    assert page.count('href="#') == page.count("<h2 id=") + page.count("<h3 id=") == 3
    assert '<h2 id="a-b">' in page
    assert '<h2 id="a-b-3">' in page
