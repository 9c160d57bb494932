"""A file of the working directory never stands in for a module of Python's or of a library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import videogn as package
from videogn.cli import main
from videogn.study import running
from videogn.system.killable import KillableProcess
from videogn.system.leash import leashed
from videogn.system.module_path import leave_out_working_directory

#: What Python, argparse and the command import on their way, and what packages try to import.
SHADOWS = ("queue", "random", "string", "difflib", "argparse", "dataclasses", "numbers", "selectors", "orjson")


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """A working directory whose modules say that they ran."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(package.__file__).parents[1]))
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)  # other tests have run commands
    return tmp_path / "ran"


def _run(*words):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, check=False)


def test_the_fixture_is_hostile(hostile):
    _run("-c", "import queue")
    assert hostile.read_text() == "queue "


@pytest.mark.parametrize("words", [["--help"], ["data", "show", "--help"], ["study", "cell", "nowhere"]])
def test_python_m_videogn(hostile, words):
    done = _run("-m", "videogn", *words)
    assert done.stdout or "nowhere" in done.stderr
    assert not hostile.exists()


def test_what_a_command_starts(hostile, monkeypatch):
    """Whatever starts them: Lightning's ranks, spawned loaders, Ray, a compiler."""
    monkeypatch.setenv("PYTHONSAFEPATH", "")  # is put back after the test
    with pytest.raises(SystemExit):
        main(["--version"])
    assert _run("-c", "import queue, random").returncode == 0
    spawned = "import multiprocessing as m; m.get_context('spawn').Process(target=print).start()"
    assert _run("-c", f"if __name__ == '__main__':\n    {spawned}").returncode == 0
    assert not hostile.exists()


def test_commands_of_a_cell_and_processes_that_can_be_killed(hostile):
    """Also where nothing has set the environment, as in a script of Slurm's or in Python."""
    executable, *words = running._videogn("fit")
    assert executable == sys.executable
    assert _run(*words[:-1], "--version").stdout.startswith("videogn ")
    executable, *words = leashed([sys.executable, "-P", "-c", "import queue"])
    assert _run(*words).returncode == 0
    process = KillableProcess("random:Random", 1)
    assert isinstance(process.call("random", limit=30), float)
    process.close()
    assert not hostile.exists()


def test_a_folder_that_is_named_stays(hostile, monkeypatch):
    """PYTHONPATH is the user's own word, also where it names the working directory."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([os.environ["PYTHONPATH"], os.getcwd()]))
    (Path.cwd() / "mynorm.py").touch()
    code = "import sys; sys.argv = ['videogn', '--version']; import mynorm; print('found')"
    assert _run("-P", "-c", code).stdout == "found\n"


@pytest.mark.parametrize("kind", ["settings", "pipe"])
def test_settings_of_matplotlib_are_not_read(hostile, kind):
    if kind == "pipe":
        os.mkfifo("matplotlibrc")
    else:
        Path("matplotlibrc").write_bytes(b"figure.figsize: 1, 1\nbackend: module://queue\n\xff\n")
    command = (
        "import os; from videogn.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: import matplotlib"
    )
    done = _run("-P", "-c", f"{command}\nprint(os.getcwd(), matplotlib.rcParams['figure.figsize'])")
    assert done.stdout.splitlines()[-1] == f"{Path.cwd()} [6.4, 4.8]", done.stderr
    assert not hostile.exists()


@pytest.mark.parametrize("installed", [True, False])
def test_a_checkout_that_is_not_installed_goes_last(monkeypatch, installed):
    checkout = str(Path(package.__file__).parents[1])
    others = ["/lib/python", *([checkout] if installed else [])]
    monkeypatch.setattr(sys, "path", [checkout, *others])
    leave_out_working_directory()
    assert sys.path == ["/lib/python", checkout]
