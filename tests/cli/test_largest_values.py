"""Numbers of the command line are bounded before anything is allocated for them."""

from __future__ import annotations

import dataclasses
import importlib
import typing

import pytest

from videogn.cli.largest_values import LARGEST
from videogn.cli.main import COMMANDS, main

#: Numbers that nothing is allocated, started or waited for: seeds, shares, rates, or bounded where they are read.
FREE = {"seed", "agreement", "confidence", "min_score", "test", "val", "val_fraction", "tolerance", "learning_rate",
        "weight_decay", "random_resized_crop", "crf", "port", "noise"}  # fmt: skip


def _options():
    for command, (module, _) in COMMANDS.items():
        found = importlib.import_module(module)
        actions = getattr(found, "ACTIONS", {command: (module, "")})
        for name, (each, _) in actions.items():
            if options := getattr(importlib.import_module(each), "Options", None):
                yield f"{command} {name}", options


def test_every_number_has_a_largest_value():
    unbounded = set()
    for command, options in _options():
        for name, hint in typing.get_type_hints(options).items():
            kinds = {hint, *typing.get_args(hint)}
            if kinds & {int, float} and name not in LARGEST.keys() | FREE:
                unbounded.add((command, name))
    assert not unbounded
    assert all(dataclasses.is_dataclass(options) for _, options in _options())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("predict a --checkpoint b --clips 1000000000", "--clips must be <= 10,000, got 1000000000"),
        ("predict a --checkpoint b --top-k 999999999", "--top-k must be <= 100,000, got 999999999"),
        ("predict a --checkpoint b --fps 1e300", "--fps must be <= 100,000, got 1e+300"),
        ("predict a --checkpoint b --time-limit 1e300", "--time-limit must be <= 31,622,400, got 1e+300"),
        ("data synth a --videos-per-class 999999999", "--videos-per-class must be <= 100,000, got 999999999"),
        ("study run a --out b --jobs 9999999", "--jobs must be <= 1,024, got 9999999"),
        ("plan --crop 1000000000", "--crop must be <= 10,000, got 1000000000"),
    ],
)
def test_a_digit_too_many_is_one_line(capsys, words, expected):
    with pytest.raises(SystemExit) as done:
        main(words.split())
    assert done.value.code == 2
    assert capsys.readouterr().err == f"videogn: error: {expected}\n"


@pytest.mark.parametrize(
    ("option", "value", "most"),
    [
        ("--data.batch_size", "1000000000", "1,000,000"),
        ("--data.num_workers", "99999", "1,024"),
        ("--model.clip_length", "1000000000", "100,000"),
        ("--model.crop_size", "1000000000", "10,000"),
        ("--trainer.devices", "999999", "1,024"),
        ("--checkpoint.minutes", "1e300", "527,040"),
    ],
)
def test_training_too(videogn, motion, capsys, option, value, most):
    assert videogn("fit", "--config=motion", f"--data.root={motion}", f"{option}={value}") == 2
    assert f"{option} must be <= {most}, got" in capsys.readouterr().err
