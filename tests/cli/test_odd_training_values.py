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
def check(motion, trained, places, capsys, tmp_path, monkeypatch):
    end_where_work_begins(monkeypatch, tmp_path)
    monkeypatch.setattr("lightning.pytorch.trainer.trainer.Trainer._run", begin)

    def run(command, number):
        usual = (
            fit_arguments(motion, tmp_path)
            if command == "fit"
            else evaluation_arguments(command, motion, tmp_path, trained / "checkpoints" / "last.ckpt")
        )
        wrong = []
        for option in _options_of(command):
            for value in VALUES if number is None else some(VALUES, number, of=f"{command} {option}"):
                monkeypatch.setattr("sys.argv", ["videogn", *usual, f"{option}={places.get(value, value)}"])
                try:
                    check_end(*refusal(main, capsys), option, places.get(value, value))
                except Exception as error:
                    wrong.append(f"{command} {option}={value[:40]!r}: {type(error).__name__}: {error}"[:600])
        assert not wrong, "\n".join(["", *wrong])

    return run


def test_some_odd_values_of_fit(check):
    check("fit", 1)


@pytest.mark.slow
@pytest.mark.skipif("FUZZ_CASES" not in os.environ, reason="takes longer than all other tests: by hand, FUZZ_CASES=1")
@pytest.mark.parametrize("command", ["fit", "validate", "test"])
def test_every_odd_value(check, command):
    check(command, None)
