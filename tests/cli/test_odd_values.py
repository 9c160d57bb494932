"""Odd values for every option of every command: one line that names the option or the value, and a status of ours.

Parsing and checks are the real ones. Where a command would begin its real work, it ends: what it was given has passed.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import shutil
import typing

import pytest
from odd_values import FOLDER, NULL, NUMBERS, OTHERS, TEXTS, check_end, end_where_work_begins, odd_places, refusal, some
from tested import make_probabilities, write_test
from training import evaluation_arguments

from videogn.cli import parsing
from videogn.cli.main import COMMANDS, main
from videogn.cli.parsing import POSITIONAL


def _commands():
    """(words, dataclass of options) of every command but those that train."""
    for command, (module, _) in COMMANDS.items():
        actions = getattr(importlib.import_module(module), "ACTIONS", None)
        for name, (each, _) in (actions or {command: (module, "")}).items():
            if options := getattr(importlib.import_module(each), "Options", None):
                yield ((command, name) if actions else (command,)), options


def _is_required(field):
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _is_positional(field):
    return POSITIONAL in field.metadata or (_is_required(field) and not field.kw_only)


def _options():
    for words, options in _commands():
        hints = typing.get_type_hints(options)
        for field in dataclasses.fields(options):
            kinds = {hints[field.name], *typing.get_args(hints[field.name])}
            kinds = kinds if typing.get_origin(hints[field.name]) is not dict else set()
            values = NUMBERS if kinds & {int, float} else TEXTS if str in kinds else OTHERS
            if hints[field.name] is not bool:  # those take no value
                yield pytest.param(words, options, field, values, id=".".join((*words, field.name)))


@pytest.fixture(scope="module")
def right(motion, trained, tmp_path_factory):
    """Right values of what commands require, by the name of the field, or by command and field."""
    from videogn.training.written_network import task_for, write_network

    home = tmp_path_factory.mktemp("right")
    shutil.copy(next((motion / "val").rglob("*.mp4")), home / "video.mp4")
    names = [f"class {number}" for number in range(3)]
    for name in ("one", "two"):
        write_test(home / name, names, *make_probabilities(6, 3))
    checkpoint = str(trained / "checkpoints" / "last.ckpt")
    for argv in (
        evaluation_arguments("test", motion, home / "tested", checkpoint),
        ["data", "index", str(motion), f"--out={home / 'index.parquet'}", "--quick", "--workers=1"],
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sys.argv", ["videogn", *argv])
            with pytest.raises(SystemExit):
                main()
    frames = {"clip_length": 4, "interval": 2, "crop_size": 32, "short_side": 32, "mean": [0.5] * 3, "std": [0.2] * 3}
    about = {"arch": "i3d_tiny", "norm": "bn", "arch_options": {"width": 8}, "class_names": names, **frames}
    write_network(task_for({**about, "crops": "full", "fps": 0.0}).eval(), home / "bn.ckpt", origin={})
    video = str(home / "video.mp4")
    places = odd_places(home)
    return places | {
        "checkpoint": checkpoint,
        "networks": checkpoint,
        "names": "x3d_s",
        "images.name": "textures",
        "export.source": checkpoint,
        "convert.source": str(home / "bn.ckpt"),
        **dict.fromkeys(("video", "videos", "paths", "convert.data"), video),
        "probe.data": str(motion),
        "source": str(motion),
        "split.source": str(shutil.copytree(motion / "train", home / "own")),  # where it writes its lists
        "index": str(home / "index.parquet"),
        "results": str(home / "tested"),
        "report.folders": str(home / "tested"),
        "compare.sources": [str(home / "one"), str(home / "two")],
        "grid": "motion_smoke",
        **dict.fromkeys(("folder", "folders"), places[FOLDER]),
        "format": "onnx",
        "export.out": "network.onnx",
        "index.out": "index.parquet",
        "convert.out": "converted.ckpt",
        "features.output": "features.parquet",
        **dict.fromkeys(("out", "output"), "out"),
    }


def _argv(words, options, right, odd, value):
    """A command with right values of all that it requires, and an odd one of one option; None: without that."""
    named, positional = [], []
    for field in dataclasses.fields(options):
        flag = f"--{field.name.replace('_', '-')}"
        if field is not odd and not (_is_required(field) or _is_positional(field)):
            continue
        if field is odd and value is not None:
            given = [value]
        elif field is odd and not (_is_required(field) or _is_positional(field)):
            continue
        else:
            found = next(right[key] for key in (f"{words[-1]}.{field.name}", field.name) if key in right)
            given = found if isinstance(found, list) else [found]
        if _is_positional(field):
            positional += given
        else:
            named += [f"{flag}={given[0]}", *given[1:]]
    return [*words, *named, *(["--", *positional] if positional else [])]


@pytest.fixture(scope="module", autouse=True)
def _parsers_once():
    """Make the parser of a command once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsing, "_parser", functools.cache(parsing._parser))
        yield


@pytest.fixture(scope="module")
def usual_ends():
    """How commands end without an odd value."""
    return {}


@pytest.fixture
def check(right, usual_ends, capsys, tmp_path, monkeypatch):
    end_where_work_begins(monkeypatch, tmp_path)

    def run(words, options, field, values):
        argv = _argv(words, options, right, field, None)
        if tuple(argv) not in usual_ends:
            usual_ends[tuple(argv)] = refusal(lambda: main(argv), capsys)
        usual = usual_ends[tuple(argv)]
        for value in values:
            given = right[value] if value in (FOLDER, NULL) else value
            ended = refusal(lambda given=given: main(_argv(words, options, right, field, given)), capsys)
            if ended != usual:  # a study that is none, say, is refused before the odd value is looked at
                check_end(*ended, field.name, given)

    return run


@pytest.mark.parametrize(("words", "options", "field", "values"), _options())
def test_some_odd_values(check, words, options, field, values):
    check(words, options, field, some(values, 2, of=".".join((*words, field.name))))


@pytest.mark.slow
@pytest.mark.parametrize(("words", "options", "field", "values"), _options())
def test_every_odd_value(check, words, options, field, values):
    check(words, options, field, values)


@pytest.mark.parametrize("blank", ["", " "])
@pytest.mark.parametrize(
    ("words", "options", "field", "values"), [each for each in _options() if each.values[3] is TEXTS]
)
def test_an_empty_name_is_refused(right, capsys, tmp_path, monkeypatch, words, options, field, values, blank):
    monkeypatch.chdir(tmp_path)
    status, reason = refusal(lambda: main(_argv(words, options, right, field, blank)), capsys)
    flag = field.name if _is_positional(field) else f"--{field.name.replace('_', '-')}"
    assert (status, reason) == (2, f"{flag} must not be empty, got {blank!r}; is a variable of the shell not set?")
    assert not list(tmp_path.iterdir())
