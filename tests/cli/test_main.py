"""The dispatcher: what it lists, what it imports, how it fails."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

import pytest

from videogn import __version__
from videogn.cli.main import COMMANDS
from videogn.cli.plain_console import PlainConsole


def test_help_lists_every_command(videogn, capsys):
    assert videogn("--help") == 0
    printed = capsys.readouterr().out
    assert all(name in printed and summary in printed for name, (_, summary) in COMMANDS.items())


def test_version(videogn, capsys):
    assert videogn("--version") == 0
    assert capsys.readouterr().out == f"videogn {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        *([command, "--help"] for command in ("predict", "study", "data", "bench", "demo", "plan")),
        *(["study", action, "--help"] for action in ("plan", "run", "status", "report", "export-slurm", "cell")),
        *(["data", action, "--help"] for action in ("index", "check", "resize", "explain", "show", "synth")),
        ["bench", "data", "--help"],
    ],
)
def test_help_does_not_wait_for_torch(arguments):
    code = (
        "import sys\nfrom videogn.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit as end: status = end.code or 0\n"
        "slow = {'torch', 'lightning', 'matplotlib', 'av', 'decord', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(f'imported {slow}' if slow else status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("wrong", "right"), [("fti", "fit"), ("Test", "test"), ("pridect", "predict")])
def test_a_wrong_command_names_the_nearest(videogn, capsys, wrong, right):
    assert videogn(wrong) == 2
    assert capsys.readouterr().err == f"videogn: error: no command {wrong!r}; did you mean {right!r}?\n"


@contextlib.contextmanager
def unread(monkeypatch):
    """Standard output that is a pipe whose reader has gone."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as file, monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", file)
        yield


@pytest.mark.parametrize("printing", [print, lambda text: PlainConsole().print(text)])
def test_a_reader_that_has_gone_is_no_error(videogn, capsys, monkeypatch, printing):
    monkeypatch.setattr("videogn.cli.data.show.run", lambda options: printing("x" * 10**5) or 0)
    with unread(monkeypatch):
        assert videogn("data", "show", ".") == 141
    with unread(monkeypatch):
        assert videogn("--help") == 141
    assert capsys.readouterr().err == ""
