"""Options from a dataclass: what the command line takes, what the help says, how it refuses."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal

import docstring_parser
import pytest

from videogn.cli import parsing
from videogn.cli.main import COMMANDS
from videogn.cli.parsing import read_options


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Shared by several commands.

    Attributes:
        clip_length: Number of frames in a clip.
        axis (NAME=VALUE): Axes.
    """

    clip_length: int = 32
    axis: tuple[str, ...] = ()


@dataclass(frozen=True)
class Options(Shared):
    """Do something with files.

    It is 100% safe.

    Attributes:
        paths (PATH): Files.
        out: Folder to write to.
        kind: Kind of output.
        kinds: Kinds.
        sizes: Sizes, in pixels.
        limit (SECONDS): Time limit. By default there is none.
        extra: More options.
        quick: Be quick.
    """

    paths: tuple[str, ...]
    out: str = field(kw_only=True)
    kind: Literal["table", "json"] = "table"
    kinds: tuple[Literal["a", "b", "32"], ...] = ("a",)
    sizes: tuple[int, ...] = (1, 2)
    limit: float | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    quick: bool = False

    def __post_init__(self) -> None:
        if self.clip_length <= 0:
            raise ValueError(f"--clip-length must be > 0, got {self.clip_length}")


def _read(*words: str) -> Options:
    return read_options(Options, "videogn do", words)


def test_defaults():
    assert _read("a", "--out", "o") == Options(("a",), out="o")
    assert _read("a", "--out", "o").extra == {}


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["a", "b"], "paths", ("a", "b")),
        (["a", "--clip-length", "8"], "clip_length", 8),
        (["a", "--clip-length=8"], "clip_length", 8),
        (["a", "--kind", "json"], "kind", "json"),
        (["a", "--sizes", "3", "4"], "sizes", (3, 4)),
        (["a", "--kinds", "32", "a"], "kinds", ("32", "a")),
        (["a", "--sizes", "3", "--sizes", "4"], "sizes", (4,)),
        (["a", "--axis", "x=1", "y=2", "--axis", "z=3"], "axis", ("x=1", "y=2", "z=3")),
        (["a", "--limit", "1.5"], "limit", 1.5),
        (["a", "--limit", "2"], "limit", 2.0),
        (["a", "--extra", "{groups: 8}"], "extra", {"groups": 8}),
        (["a", "--quick"], "quick", True),
        (["1e5"], "paths", ("1e5",)),
        (["a", "--out", "null"], "out", "null"),
    ],
)
def test_values(words, name, value):
    assert getattr(_read("--out=o", *words), name) == value


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--clip-length", "x"], "--clip-length must be a whole number, got 'x'"),
        (["--clip-length", "2.5"], "--clip-length must be a whole number, got '2.5'"),
        (["--limit", "soon"], "--limit must be a number, got 'soon'"),
        (["--extra", "3"], "--extra must be a mapping, for instance {groups: 8}, got '3'"),
        (["--clip-lenght", "3"], "no option --clip-lenght; did you mean '--clip-length'?"),
        (["--kind.arch", "x"], "options with a dot, as --model.arch, are those of `videogn fit`"),
        (["--sizes", "x"], "'x'"),
        (["--kind", "jsno"], "--kind must be one of table, json, got 'jsno'; did you mean 'json'?"),
        (["--kinds", "a", "d"], "--kinds must be one of a, b, 32, got 'd'"),
    ],
)
def test_wrong_values_end_with_one_line(capsys, words, expected):
    with pytest.raises(SystemExit) as caught:
        _read("a", "--out=o", *words)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("videogn: error: ")
    assert expected in line


@pytest.mark.parametrize("name", ["-x.mp4", "--x.mp4", "--out.mp4", "-d"])
def test_a_file_that_reads_as_an_option(capsys, monkeypatch, tmp_path, name):
    """As `videogn do *` has it; after -- it is a file."""
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    with pytest.raises(SystemExit) as caught:
        _read("a", name, "--out=o")
    assert caught.value.code == 2
    expected = f"{name} is a file or folder, but reads as an option: write ./{name}, or -- before all the files"
    assert capsys.readouterr().err == f"videogn: error: {expected}\n"
    assert _read("--out=o", "--", "a", name).paths == ("a", name)
    assert _read("a", f"./{name}", "--out=o").paths == ("a", f"./{name}")


def test_an_option_of_which_there_is_a_file_too(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("--quick").touch()
    assert _read("a", "--out=o", "--quick").quick


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--kind"], "--kind needs a value"),
        (["--limit", "-x"], "--limit needs a value; one that begins with - is written --limit=-x"),
    ],
)
def test_an_option_without_its_value(capsys, monkeypatch, words, expected):
    monkeypatch.setattr("sys.argv", ["videogn", "do", "a", "--out=o", *words])
    with pytest.raises(SystemExit):
        _read("a", "--out=o", *words)
    assert capsys.readouterr().err == f"videogn: error: {expected}\n"


def test_a_value_that_the_dataclass_refuses():
    with pytest.raises(ValueError, match=r"^--clip-length must be > 0, got 0$"):
        _read("a", "--out=o", "--clip-length", "0")


@pytest.mark.parametrize("missing", [["a"], ["--out", "o"]])
def test_required_options(missing):
    with pytest.raises(SystemExit) as caught:
        _read(*missing)
    assert caught.value.code == 2


def test_headings_begin_groups_of_options(capsys):
    class Grouped(Options):
        __doc__ = Options.__doc__
        HEADINGS: ClassVar = {"kinds": "kinds and sizes", "extra": "others"}

    with pytest.raises(SystemExit):
        read_options(Grouped, "videogn do", ["--help"])
    text = capsys.readouterr().out
    places = [text.index(part) for part in ("\n  --kind ", "\nkinds and sizes:\n  --kinds", "\nothers:\n  --extra")]
    assert places == sorted(places)
    assert read_options(Grouped, "videogn do", ["a", "--out=b", "--sizes=3"]).sizes == (3,)


def test_help(capsys):
    with pytest.raises(SystemExit) as caught:
        _read("--help")
    assert caught.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    for text in (
        "usage: videogn do PATH [PATH ...] --out OUT [options]",
        "Do something with files. It is 100% safe.",
        "--out OUT Folder to write to. Required.",
        "--clip-length N Number of frames in a clip. Default: 32.",
        "--axis NAME=VALUE [NAME=VALUE ...] Axes. --",
        "--kind {table,json} Kind of output. Default: table.",
        "--sizes N [N ...] Sizes, in pixels. Default: 1 2.",
        "--limit SECONDS Time limit. By default there is none. --",
        "--quick Be quick.",
    ):
        assert text in printed


# Every command.


def _commands(table: dict[str, tuple[str, str]], *above: str) -> list[tuple[str, ...]]:
    """The words of all commands and actions that have options of their own."""
    found = []
    for name, (path, _) in table.items():
        if name not in ("fit", "validate", "test"):
            module = importlib.import_module(path)
            own = (*above, name)
            found += _commands(module.ACTIONS, *own) if hasattr(module, "ACTIONS") else [own]
    return found


def _options(words: tuple[str, ...]) -> type:
    module: Any = None
    table = COMMANDS
    for word in words:
        module = importlib.import_module(table[word][0])
        table = getattr(module, "ACTIONS", {})
    return module.Options


@pytest.mark.parametrize("words", _commands(COMMANDS), ids=" ".join)
def test_every_option_is_described(words):
    options = _options(words)
    documents = [docstring_parser.parse(each.__doc__ or "") for each in options.__mro__[:-1]]
    described = {param.arg_name for document in documents for param in document.params}
    assert described == {each.name for each in fields(options)}


@pytest.mark.parametrize("words", [(), ("data",), ("study",), ("bench",), *_commands(COMMANDS)], ids=" ".join)
def test_help_fits_eighty_columns(videogn, capsys, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "80")
    assert videogn(*words, "--help") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(" ".join(["usage: videogn", *words]))
    assert max(map(len, lines)) <= 80


def test_without_docstrings(monkeypatch, capsys):
    """As of `python -OO`, where a dataclass without one gets its signature."""

    @dataclass(frozen=True)
    class Options:
        source: str
        many: int = 3

    monkeypatch.setattr(parsing, "__doc__", None)
    assert read_options(Options, "videogn x", ["a", "--many", "4"]) == Options("a", 4)
    with pytest.raises(SystemExit):
        read_options(Options, "videogn x", ["--help"])
    assert "--many N" in capsys.readouterr().out
