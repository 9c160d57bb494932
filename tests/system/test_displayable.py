"""Names as people can be shown them, streams that pass on nothing else, and cells of CSV files for spreadsheets."""

from __future__ import annotations

import ast
import csv
import io
import logging
import sys
from pathlib import Path

import pytest

import videogn
from videogn.cli.plain_console import PlainConsole
from videogn.system import standard_streams
from videogn.system.displayable import harmless, one_line
from videogn.system.spreadsheet_text import for_spreadsheet, text_of

hypothesis = pytest.importorskip("hypothesis")
st = pytest.importorskip("hypothesis.strategies")

#: What moves a cursor, sets a title, forges a line, turns the writing round, or cannot be written at all.
HOSTILE = "x\x1b[2J\x1b]0;pwned\x07\nvideogn: all done\r\x9b31m\u202e4pm.\u2066\u200b\u2028\udcff\ud800.mp4"


def test_one_line_is_one_line_of_visible_letters():
    shown = one_line(HOSTILE)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
    assert shown.startswith(r"x\x1b[2J\x1b]0;pwned\x07\nvideogn: all done\r\x9b31m\u202e4pm")
    assert one_line("کلاس می‌خواهم 👩‍🚀 über") == "کلاس می‌خواهم 👩‍🚀 über"
    assert one_line(Path("a b")) == "a b"


@hypothesis.given(st.text(st.characters(exclude_categories=())))
def test_no_text_commands_a_terminal(text):
    assert len(one_line(text).splitlines()) <= 1
    shown = harmless(text)
    shown.encode()
    assert not {"\x1b", "\x9b", "\x07", "\x08", "\u202e", "\u2066"}.intersection(shown)
    assert harmless(shown) == shown


def test_bars_and_colours_pass_and_nothing_else():
    bar = "\x1b[1A\x1b[2K\x1b[?25l\x1b[38;5;2mred\x1b[0m\x1b[?25h\r"
    assert harmless(bar, bars=True) == bar
    assert harmless("\x1b[2J\x1b]8;;http://x\x1b\\\x1b[6n", bars=True) == r"\x1b[2J\x1b]8;;http://x\x1b\\x1b[6n"


def test_streams_of_a_command_are_guarded(monkeypatch):
    out, error = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", error)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    standard_streams.guard_streams()
    standard_streams.guard_streams()  # once is enough
    assert sys.stdout.unguarded is out
    print(HOSTILE)
    print(HOSTILE, file=sys.stderr)
    sys.stderr.writelines([HOSTILE])
    sys.excepthook(ValueError, ValueError(HOSTILE.replace("\ud800", "")), None)
    for text in (out.getvalue(), error.getvalue()):
        assert "x\\x1b[2J" in text
        assert not {"\x1b", "\u202e"}.intersection(text)
    standard_streams.data_output().write("a\x1bb")
    assert out.getvalue().endswith("a\x1bb")  # data for a program, exactly


def test_a_record_has_the_lines_of_its_message():
    formatter = standard_streams.OneLineFormatter()

    def text(name, *arguments):
        return formatter.format(logging.LogRecord(name, logging.INFO, "", 1, "%s failed\n  at %d", arguments, None))

    assert text("videogn.data", "a\nb\x1b", 3) == "a\\nb\\x1b failed\n  at 3"
    assert text("lightning", "a\nb", 3) == "a\nb failed\n  at 3"


def test_a_console_shows_names_as_they_are():
    text = io.StringIO()
    PlainConsole(file=text, width=80).print("[bold]a[/bold] :dog: \x1b[2J")
    assert text.getvalue() == "[bold]a[/bold] :dog: \\x1b[2J\n"


def test_no_other_console_prints_tables():
    """rich's own takes "[bold]" in the name of a file for markup, and passes escape sequences on."""
    package = Path(videogn.__file__).parent
    makers = []
    for path in package.rglob("*.py"):
        calls = (node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call))
        makers += [path.name for call in calls if isinstance(call, ast.Name) and call.id == "Console"]
    assert makers == ["training_bar.py"]  # which asks only whether there is a terminal


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+a.mp4", "'+a.mp4"),
        ("-x.mp4", "'-x.mp4"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("＝1+1", "'＝1+1"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("'=1+1", "''=1+1"),
        ("-0.5", "-0.5"),
        ("+1e-3", "+1e-3"),
        ("'s-Hertogenbosch", "'s-Hertogenbosch"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_cells_for_spreadsheets(text, cell):
    assert for_spreadsheet(text) == cell
    assert text_of(cell) == text


@hypothesis.given(st.text(st.sampled_from("'=+-@\t\r\n\"01.e,; a＝")))
def test_cells_give_back_what_was_written(text):
    file = io.StringIO()
    csv.writer(file).writerow([for_spreadsheet(text), "x"])
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert text_of(row[0]) == text
