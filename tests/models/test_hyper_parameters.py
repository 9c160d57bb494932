"""Of a checkpoint's hyper-parameters those are taken that a training run writes, in its types and ranges."""

from __future__ import annotations

import pickle
from dataclasses import fields

import pytest
import torch

from videogn.models.hyper_parameters import HYPER_PARAMETERS, checked_hyper_parameters
from videogn.training.task import VideoClassifier
from videogn.training.task_settings import COMPUTING, TaskSettings

WRITTEN = {
    "arch": "i3d_tiny",
    "norm": "gn",
    "norm_options": {"groups": 2},
    "arch_options": {"width": 8, "pool_window": [None, 4, 4]},
    "class_names": ["a", "b\n"],
    "clip_length": 8,
    "interval": 2,
    "crop_size": 32,
    "short_side": 40,
    "mean": (0.45, 0.45, 0.45),
    "std": (0.225, 0.225, 0.225),
    "fps": None,
    "clips_per_forward": 10,
}


def test_what_a_training_run_writes_is_what_is_known():
    task = VideoClassifier(
        "i3d_tiny",
        arch_options={"width": 4},
        class_names=["a", "b"],
        clip_length=4,
        crop_size=32,
        class_weights={"a": 2},
        freeze=["stem"],
        unfreeze_epochs={"stem": 2},
        lr=1,
        fps=12,
    )
    assert set(task.hparams) == set(HYPER_PARAMETERS)
    assert {field.name for field in fields(TaskSettings)} - set(COMPUTING) < set(HYPER_PARAMETERS)
    assert not set(COMPUTING) & set(HYPER_PARAMETERS)
    assert checked_hyper_parameters(task.hparams) == dict(task.hparams)


def test_what_no_training_run_writes_is_left_out():
    others = {
        "init_from": "timm:resnet50",
        "engine_file": "a.onnx",
        "results_dir": "/",
        "_instantiator": "os.system",
        5: 5,
    }
    assert checked_hyper_parameters({**WRITTEN, **others}).keys() == {*WRITTEN, "crops"}


def test_the_first_versions_wrote_less():
    least = {name: WRITTEN[name] for name in ("arch", "norm", "class_names", "mean", "std")}
    assert checked_hyper_parameters(least) == {**least, "crops": "full", "clips_per_forward": 10}


def _tangled():
    value = 1
    for _ in range(40):
        value = [value, value]
    return value


def _in_itself():
    value: list = []
    value.append(value)
    return value


WRONG = [
    ("arch", "/etc/passwd"),
    ("arch", torch._utils._rebuild_tensor_v2),
    ("norm", ["gn"]),
    ("norm", "a" * 10**6),
    ("norm_options", {"groups": 10**30}),
    ("norm_options", {"groups": torch.zeros(3)}),
    ("norm_options", {1: 2}),
    ("arch_options", {"width": _tangled()}),
    ("arch_options", {"width": _in_itself()}),
    ("arch_options", "width"),
    ("class_names", []),
    ("class_names", 10**12),
    ("class_names", "abc"),
    ("class_names", ["a"] * 100_001),
    ("class_names", ["a", 5]),
    ("class_names", ["a" * 1001]),
    ("clip_length", "8"),
    ("clip_length", 10**9),
    ("clip_length", 10**5000),
    ("clip_length", True),
    ("clip_length", None),
    ("interval", 0),
    ("crop_size", -1),
    ("short_side", 8.0),
    ("clips_per_forward", 10**12),
    ("mean", [0.4, 0.4]),
    ("std", torch.ones(3)),
    ("std", [0, 0, 0]),
    ("fps", 10**400),
    ("fps", -1),
    ("antialias", "yes"),
    ("several_labels", 1),
    ("crops", "../x"),
    ("class_weights", "weights.yaml"),
    ("optimizer", "os.system"),
    ("milestones", "abc"),
    ("lr", "0.1"),
    ("lr", float("nan")),
    ("freeze", {"a": 1}),
    ("unfreeze_epochs", {"stem": -1}),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=[f"{number}" for number in range(len(WRONG))])
def test_wrong_values_are_named_in_a_short_line(name, value):
    with pytest.raises(ValueError, match=name) as caught:
        checked_hyper_parameters({**WRITTEN, name: value})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["arch", "norm", "class_names", "mean", "std"])
def test_what_must_be_there(name):
    with pytest.raises(ValueError, match=rf"says nothing about the network \({name} is missing\)"):
        checked_hyper_parameters({each: value for each, value in WRITTEN.items() if each != name})


def test_what_is_taken_is_plain():
    assert pickle.loads(pickle.dumps(checked_hyper_parameters(WRITTEN))) == {**WRITTEN, "crops": "full"}
