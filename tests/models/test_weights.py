"""Initial weights from files of every kind, and files that must be refused."""

from __future__ import annotations

import os
import pickle
import re
import zipfile

import pytest
import torch

from videogn.models import i3d_tiny, make_model
from videogn.models.weights import load_weights

HEAD = {"blocks.6.proj.weight", "blocks.6.proj.bias"}


def _network(seed, **options):
    torch.manual_seed(seed)
    model = i3d_tiny(**options)
    for parameter in model.parameters():  # the zeros and ones of a fresh network would agree by themselves
        parameter.data.add_(torch.randn_like(parameter))
    return model


WRAPPINGS = {
    "state dict": lambda state: state,
    "lightning": lambda state: {
        "state_dict": {f"net.{name}": tensor for name, tensor in state.items()},
        "epoch": 3,
        "global_step": 100,
        "pytorch-lightning_version": "2.6.6",
        "hyper_parameters": {"norm": "gn", "class_names": ["a", "b"], "mean": (0.45, 0.45, 0.45)},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1}]}],
    },
    "pytorchvideo": lambda state: {"model_state": state},
}


@pytest.mark.parametrize("norm", ["bn", "gn"])
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_every_tensor_is_loaded(tmp_path, wrapping, norm):
    source, model = _network(1, norm=norm), _network(2, norm=norm)
    torch.save(WRAPPINGS[wrapping](source.state_dict()), tmp_path / "weights.ckpt")
    report = load_weights(model, tmp_path / "weights.ckpt")
    wanted = source.state_dict()
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in model.state_dict().items())
    assert set(report.loaded) == set(wanted)
    assert (report.inflated, report.skipped, report.missing) == ([], [], [])
    assert f"{len(wanted)} tensors loaded" in str(report)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_another_number_of_classes_leaves_a_new_head(tmp_path, wrapping):
    source, model = _network(1, num_classes=5), _network(2, num_classes=9)
    torch.save(WRAPPINGS[wrapping](source.state_dict()), tmp_path / "weights.ckpt")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    report = load_weights(model, tmp_path / "weights.ckpt")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name] if name in HEAD else source.state_dict()[name]), name
    assert set(report.missing) == set(report.skipped) == HEAD
    assert set(report.loaded) == set(before) - HEAD
    assert "new: blocks.6.proj.weight, blocks.6.proj.bias" in str(report)


@pytest.mark.parametrize(("norm", "other"), [("bn", "gn"), ("gn", "bn")])
def test_weights_of_another_norm_are_refused(tmp_path, norm, other):
    """Gamma and beta have the same names and shapes; BN's running statistics tell. The network stays as it was."""
    torch.save(_network(1, norm=norm).state_dict(), tmp_path / "weights.ckpt")
    model = _network(2, norm=other)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(ValueError, match="running_mean"):
        load_weights(model, tmp_path / "weights.ckpt")
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_a_checkpoint_says_what_its_input_was(tmp_path):
    """Asking for another scale folds it into the first convolution."""
    source, model = _network(1), _network(2)
    about = {"mean": [0.4, 0.5, 0.6], "std": [0.1, 0.2, 0.4], "class_names": list("abcdefgh")}
    about |= {"arch": "i3d_tiny", "norm": "bn"}
    torch.save({"state_dict": source.state_dict(), "hyper_parameters": about}, tmp_path / "weights.ckpt")
    report = load_weights(model, tmp_path / "weights.ckpt")
    assert (report.mean, report.std) == ((0.4, 0.5, 0.6), (0.1, 0.2, 0.4))
    assert torch.equal(model.blocks[0].conv.weight, source.blocks[0].conv.weight)
    report = load_weights(model, tmp_path / "weights.ckpt", std=(0.2, 0.2, 0.2))
    assert (report.std, report.notes) == ((0.2, 0.2, 0.2), [])
    factor = torch.tensor([2.0, 1.0, 0.5]).view(1, 3, 1, 1, 1)
    torch.testing.assert_close(model.blocks[0].conv.weight, source.blocks[0].conv.weight * factor)


def test_a_network_from_outside_starts_from_its_own_checkpoint(tmp_path, outside):
    """Its tensors have names that no layout knows; the checkpoint of `videogn fit` says that they are its own."""
    source, model = (make_model("own_nets.small_net", 5, norm_options={"groups": 4}) for _ in range(2))
    about = {
        "arch": "own_nets.small_net",
        "norm": "gn",
        "class_names": list("abcde"),
        "mean": [0.4] * 3,
        "std": [0.2] * 3,
    }
    state = {f"net.{name}": tensor for name, tensor in source.state_dict().items()}
    torch.save({"state_dict": state, "hyper_parameters": about}, tmp_path / "own.ckpt")
    report = load_weights(model, tmp_path / "own.ckpt")
    assert (report.missing, report.skipped) == ([], [])
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, source.state_dict()[name])


def test_a_state_dict_says_nothing_of_its_input(tmp_path):
    torch.save(_network(1).state_dict(), tmp_path / "weights.ckpt")
    report = load_weights(_network(2), tmp_path / "weights.ckpt", std=(0.2, 0.2, 0.2))
    assert (report.mean, report.std) == (None, None)


def test_weights_of_another_width_are_refused(tmp_path):
    torch.save(_network(1, width=8).state_dict(), tmp_path / "weights.ckpt")
    with pytest.raises(ValueError, match=r"another\s+shape.*blocks\.0\.conv\.weight"):
        load_weights(_network(2, width=16), tmp_path / "weights.ckpt")


def test_a_trunk_with_a_gap_is_refused(tmp_path):
    state = _network(1).state_dict()
    del state["blocks.3.res_blocks.0.branch2.conv_b.weight"]
    torch.save(state, tmp_path / "weights.ckpt")
    with pytest.raises(ValueError, match=r"1 of .* the first is blocks\.3\.res_blocks\.0\.branch2\.conv_b\.weight"):
        load_weights(_network(2), tmp_path / "weights.ckpt")


def test_half_precision_weights_become_the_networks_own(tmp_path):
    source, model = _network(1), _network(2)
    torch.save({name: tensor.half() for name, tensor in source.state_dict().items()}, tmp_path / "weights.ckpt")
    load_weights(model, tmp_path / "weights.ckpt")
    conv = model.blocks[0].conv.weight
    assert conv.dtype == torch.float32
    assert torch.equal(conv, source.blocks[0].conv.weight.half().float())


def _truncated(path):
    torch.save(_network(1).state_dict(), path)
    path.write_bytes(path.read_bytes()[:-5000])


def _text(path):
    path.write_text("hello\n" * 100)


def _zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "no weights")


BAD = {
    "truncated": _truncated,
    "empty": lambda path: path.touch(),
    "text": _text,
    "zip": _zip,
    "a list": lambda path: torch.save([torch.ones(2)], path),
    "a tensor": lambda path: torch.save(torch.ones(2), path),
    "no tensors": lambda path: torch.save({"epoch": 1}, path),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("kind", BAD)
def test_files_that_are_no_weights(tmp_path, kind):
    """A ValueError of one line that names the file."""
    path = tmp_path / "weights.ckpt"
    BAD[kind](path)
    with pytest.raises(
        ValueError,
        match=r"weights\.ckpt is (not a (checkpoint|file of weights)|damaged: |a folder without config\.json)",
    ) as error:
        load_weights(_network(2), path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["text", "hostile"])
def test_the_reason_helps_and_gives_no_dangerous_advice(tmp_path, kind):
    path = tmp_path / "weights.ckpt"
    if kind == "text":
        _text(path)
    else:
        torch.save(_Hostile(tmp_path / "ran"), path)
    with pytest.raises(ValueError, match="is not a checkpoint") as error:
        load_weights(_network(2), path)
    reason = str(error.value).partition("is not a checkpoint")[2]
    assert re.search("[a-z]{3}", reason)
    assert "weights_only" not in reason


@pytest.mark.parametrize("content", [{}, {"state_dict": {}}])
def test_no_tensors_at_all(tmp_path, content):
    torch.save(content, tmp_path / "weights.ckpt")
    with pytest.raises(ValueError, match=r"weights\.ckpt"):
        load_weights(_network(2), tmp_path / "weights.ckpt")


def test_a_missing_file_names_the_nearest(tmp_path):
    torch.save({}, tmp_path / "epoch=9.ckpt")
    with pytest.raises(FileNotFoundError, match=r"did you mean .*epoch=9\.ckpt"):
        load_weights(_network(2), tmp_path / "epoch9.ckpt")


class _Hostile:
    """Unpickling it makes a folder."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f'mkdir "{self.marker}"',)


@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content, 2))])
@pytest.mark.parametrize("wrap", [lambda bad: bad, lambda bad: {"state_dict": {}, "callbacks": bad}])
def test_a_hostile_pickle_runs_nothing(tmp_path, save, wrap):
    path, marker = tmp_path / "weights.ckpt", tmp_path / "ran"
    save(wrap(_Hostile(marker)), path)
    with pytest.raises(ValueError, match="is not a checkpoint"):
        load_weights(_network(2), path)
    assert not marker.exists()
    pickle.loads(pickle.dumps(_Hostile(marker)))  # the trap itself works
    assert marker.exists()
