"""A crafted checkpoint opens no other file, builds no other network and ends in one line."""

from __future__ import annotations

import os

import pytest
import torch

from videogn.inference.loading import load_network
from videogn.models.weight_sources import read_source
from videogn.training.task import VideoClassifier


@pytest.fixture(scope="module")
def content():
    torch.manual_seed(0)
    task = VideoClassifier("i3d_tiny", arch_options={"width": 4}, class_names=["a", "b"], clip_length=4, crop_size=32)
    return {"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict(), "training": {"seed": 2**64 - 1}}


@pytest.mark.parametrize("door", [load_network, read_source, VideoClassifier.load_from_checkpoint])
def test_names_of_other_files_are_passed_over(content, tmp_path, door):
    """A pipe would wait for ever; Lightning's own loading would call what is named."""
    os.mkfifo(tmp_path / "pipe")
    pipe = str(tmp_path / "pipe")
    more = {"init_from": pipe, "engine_file": pipe, "results_dir": pipe, "_instantiator": "os.system"}
    crafted = {**content, "hyper_parameters": {**content["hyper_parameters"], **more}, "hparams_name": "init_from"}
    torch.save({**crafted, "pytorch-lightning_version": "0.0.1"}, tmp_path / "a.ckpt")
    made = door(tmp_path / "a.ckpt")
    if door == VideoClassifier.load_from_checkpoint:
        assert made.source is None
        assert all(torch.equal(value, content["state_dict"][name]) for name, value in made.state_dict().items())


def test_a_file_of_class_weights_is_not_read(content, tmp_path):
    crafted = {**content["hyper_parameters"], "class_weights": str(tmp_path / "pipe")}
    torch.save({**content, "hyper_parameters": crafted}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="class_weights must be a list of numbers"):
        VideoClassifier.load_from_checkpoint(tmp_path / "a.ckpt")


def _first(state):
    return next(iter(state))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop(_first(state)), "lacks blocks"),
        (lambda state: state.update({_first(state): torch.zeros(1)}), r"is float32 \(1,\), in the network"),
        (lambda state: state.update({_first(state): state[_first(state)].int()}), "is int32"),
        (lambda state: state.update({_first(state): 3.0}), "holds no weights"),
        (lambda state: state.update({5: torch.zeros(1)}), "holds no weights"),
        (lambda state: state.update({"net.a\x1b[31m\nb": torch.zeros(1)}), r"has a tensor 'a\\x1b\[31m\\nb' that"),
        (lambda state: state.clear(), "lacks blocks"),
    ],
)
def test_other_tensors_than_those_of_the_network(content, tmp_path, change, message):
    state = dict(content["state_dict"])
    change(state)
    torch.save({**content, "state_dict": state}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=message) as caught:
        load_network(tmp_path / "a.ckpt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"arch_options": {"width": 10**6}},
        {"arch_options": {"width": -8}},
        {"arch_options": {"width": "8"}},
        {"norm_options": {"groups": [1, 2]}},
        {"norm_options": {"unknown": 1}},
        {"class_names": [str(number) for number in range(100_000)]},
    ],
)
def test_networks_of_absurd_size_are_not_built(content, tmp_path, changes):
    torch.save({**content, "hyper_parameters": {**content["hyper_parameters"], **changes}}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt"):
        load_network(tmp_path / "a.ckpt")


@pytest.mark.parametrize(
    "facts", ["x", [1], {"seed": "x"}, {"seed": -1}, {"seed": 2**64}, {5: 1}, {"a": [[0] * 900] * 900}]
)
def test_facts_of_the_training_run_are_names_and_numbers(content, tmp_path, facts):
    torch.save({**content, "training": facts}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="training"):
        load_network(tmp_path / "a.ckpt")


@pytest.mark.parametrize("whole", [None, 3, [], {}, torch.zeros(3), {"hyper_parameters": [1], "state_dict": {}}])
def test_other_things_than_checkpoints(tmp_path, whole):
    torch.save(whole, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"a\.ckpt is not a checkpoint of `videogn fit`: it says nothing about"):
        load_network(tmp_path / "a.ckpt")
