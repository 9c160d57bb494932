"""Odd values for every option of fit, validate and test: one line that names the option or the value.

The options are those that the help lists. A command ends where the trainer would begin, or before.
"""

from __future__ import annotations

import contextlib
import io
import os
import re

import pytest
from odd_values import NUMBERS, OTHERS, TEXTS, begin, check_end, end_where_work_begins, odd_places, refusal, some
from training import evaluation_arguments, fit_arguments

from videogn.cli.main import main

VALUES = tuple(dict.fromkeys((*OTHERS, *NUMBERS, *TEXTS)))
#: They take no value, or print and end.
_FLAGS = {"--print_config", "--find_lr", "--no-report", "--help", "--config"}
_OPTION = re.compile(r"^  (--[a-z_][\w.-]*)", re.MULTILINE)


def _options_of(command):
    """All options as the help of a command lists them."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        patch.setattr("sys.argv", ["videogn", command, "--help=all"])
        main()
    found = dict.fromkeys(_OPTION.findall(printed.getvalue()))
    return [each for each in found if each not in _FLAGS and not each.endswith(".help")]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    return odd_places(tmp_path_factory.mktemp("places"))


@pytest.fixture
def end(motion, trained, capsys, tmp_path, monkeypatch):
    """Run a command with some more words: how it ends."""
    end_where_work_begins(monkeypatch, tmp_path)
    monkeypatch.setattr("lightning.pytorch.trainer.trainer.Trainer._run", begin)
    last = trained / "checkpoints" / "last.ckpt"

    def run(command, *words):
        fits = command == "fit"
        usual = fit_arguments(motion, tmp_path) if fits else evaluation_arguments(command, motion, tmp_path, last)
        monkeypatch.setattr("sys.argv", ["videogn", *usual, *words])
        return refusal(main, capsys)

    return run


@pytest.fixture
def check(end, places):
    def run(command, number):
        wrong = []
        for option in _options_of(command):
            for value in VALUES if number is None else some(VALUES, number, of=f"{command} {option}"):
                given = places.get(value, value)
                try:
                    check_end(*end(command, f"{option}={given}"), option, given)
                except Exception as error:
                    wrong.append(f"{command} {option}={value[:40]!r}: {type(error).__name__}: {error}"[:600])
        assert not wrong, "\n".join(["", *wrong])

    return run


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--model=" + "9" * 5000], "--model has a number of more than 4,300 digits, which is not read"),
        (["--data", "9" * 5000], "--data has a number of more than 4,300 digits, which is not read"),
        (["--model.optimizer={}"], "--model.optimizer must name an optimiser, for instance --model.optimizer AdamW"),
        (["--model.mixup=1e-300"], "mixup must be 0, off, or at least 0.001, got 1e-300"),
        (["--model.cutmix=1e-300"], "cutmix must be 0, off, or at least 0.001, got 1e-300"),
    ],
)
def test_those_that_were_not_refused_well(end, words, reason):
    assert end("fit", *words) == (2, reason)


@pytest.mark.slow
@pytest.mark.parametrize(("command", "number"), [("fit", 2), ("test", 1)])
def test_some_odd_values(check, command, number):
    check(command, number)


@pytest.mark.slow
@pytest.mark.skipif("FUZZ_CASES" not in os.environ, reason="10,000 cases, some minutes: by hand, FUZZ_CASES=1")
@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_every_odd_value(check, command):
    check(command, None)
