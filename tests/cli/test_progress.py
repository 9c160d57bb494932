"""Bars in a terminal."""

from __future__ import annotations

import sys

import pytest

from videogn.cli.progress import bar


def _fail():
    raise ValueError


@pytest.mark.parametrize("work", [lambda: None, _fail])
def test_a_bar_that_never_moves_leaves_nothing_behind(capsys, monkeypatch, work):
    for name, value in (("COLUMNS", "80"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    try:
        with bar("Checking"):
            work()
    except ValueError:
        pass
    printed = capsys.readouterr().err
    assert "Checking" in printed
    assert "0/100" not in printed
    assert printed.endswith("\x1b[2K")  # the line is erased
