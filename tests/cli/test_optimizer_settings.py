"""Whose learning rate and weight decay an optimiser of the command line takes."""

from __future__ import annotations

import pytest
from jsonargparse import Namespace

from videogn.cli.optimizer_settings import settle_optimizer, words_of_configs


def _settings(**values):
    settings = Namespace()
    for name, value in values.items():
        settings[f"model.{name.replace('__', '.init_args.')}"] = value
    return settings


ADAM = "torch.optim.AdamW"
OF_SGD = {"lr": 0.025, "weight_decay": 1e-4, "base_batch": 8}


@pytest.mark.parametrize(
    ("of_files", "typed", "expected"),
    [
        ({}, [], (None, None, None)),
        (OF_SGD, [], (None, None, None)),  # a configuration of SGD
        (OF_SGD, ["--model.base_batch", "16"], (None, None, 8)),
        (OF_SGD, ["--model.scaling=sqrt"], (None, None, 8)),
        ({"scaling": "linear", "optimizer.class_path": ADAM}, [], (None, None, 64)),  # a cell of a study
        (OF_SGD, ["--model.lr=0.025"], (0.025, None, 8)),
        (OF_SGD, ["--model.lr", "0.025", "--model.weight_decay=1e-4"], (0.025, 1e-4, 8)),
        ({**OF_SGD, "optimizer.class_path": ADAM}, [], (0.025, 1e-4, 8)),  # a configuration of AdamW
        ({**OF_SGD, "optimizer__lr": 0.1, "optimizer.class_path": ADAM}, [], (None, 1e-4, 8)),  # its own option wins
    ],
)
def test_rate_decay_and_base_batch(of_files, typed, expected, caplog):
    files = _settings(**of_files)
    given = _settings(**{**of_files, "optimizer.class_path": ADAM})
    model = Namespace(lr=None, weight_decay=None, base_batch=64, optimizer=Namespace(class_path=ADAM))
    model.update(Namespace(**{name: value for name, value in of_files.items() if name in OF_SGD}))
    with caplog.at_level("INFO"):
        settle_optimizer(model, given, files, typed)
    assert (model.lr, model.weight_decay, model.base_batch) == expected
    if of_files == OF_SGD and not typed:
        assert caplog.messages == [
            "lr 0.025 and weight_decay 0.0001 of the configuration: not for AdamW, which takes its own; "
            "type --model.lr to set it"
        ]


def test_sgd_is_left_alone():
    model = Namespace(optimizer=None, lr=0.1)
    settle_optimizer(model, Namespace(), Namespace(), [])
    assert model == Namespace(optimizer=None, lr=0.1)


def test_the_words_that_name_configurations():
    words = ["-c", "a.yaml", "--model.lr", "1", "--config=b.yaml", "--data.root", "x", "--config", "c.yaml"]
    assert words_of_configs(words) == ["-c", "a.yaml", "--config=b.yaml", "--config", "c.yaml"]
