"""Networks out and in again in the Hugging Face layout: the same to the bit, wherever the folder goes."""

from __future__ import annotations

import json
import pickle
import shutil
import signal
import sys

import pytest
import pytorchvideo.models.hub as hub
import safetensors.torch
import torch
from training import evaluation_arguments
from video_networks import sane

from videogn.inference import Predictor, load_network
from videogn.inference.pretrained import save_pretrained
from videogn.models import load_weights, make_model
from videogn.system.stopping import Stopped

SIZE = (1, 3, 4, 32, 32)
NETWORKS = [
    ("i3d_tiny", "gn", {"groups": 2}, {"width": 8}),
    ("i3d_tiny", "bn", None, {"width": 8, "pool_window": [None, 1, 1]}),
    ("i3d_tiny", "sub_bn", {"clips": 2}, {"width": 8}),
    ("i3d_tiny", "ws+gn", {"channels_per_group": 4}, {"width": 8}),
    ("i3d_tiny", "bcn", {"groups": 2}, {"width": 8}),
    ("i3d_tiny", "frozen_bn", None, {"width": 8}),
    ("i3d_tiny", "none", None, None),
    ("x3d_xs", "gn", {"groups": 1}, {"pool_window": [None, None, None]}),
    pytest.param("r3d_18", "in", None, None, marks=pytest.mark.slow),
    pytest.param("swin3d_t", "ln", None, None, marks=pytest.mark.slow),
    pytest.param("i3d_r50", "brn", None, {"pool_window": [None, 1, 1]}, marks=pytest.mark.slow),
]


def _about(arch="i3d_tiny", norm="gn", norm_options=None, arch_options=None, **more):
    return {
        "arch": arch,
        "norm": norm,
        "norm_options": norm_options,
        "arch_options": arch_options,
        "class_names": ["jump", "run", "sit"],
        "clip_length": 4,
        "interval": 3,
        "crop_size": 32,
        "short_side": 36,
        "mean": (0.1, 1 / 3, 0.7),
        "std": (0.2, 0.225, 1 / 7),
        "fps": 12.5,
        "antialias": False,
        "num_clips": 3,
        "protocol": "endpoint",
        "crops": "center",
        "clips_per_forward": 5,
        **more,
    }


@pytest.fixture
def folder(tmp_path):
    """A small network of random weights in the layout."""
    about = _about(arch_options={"width": 8})
    net = sane(make_model("i3d_tiny", 3, "gn", None, {"width": 8}))
    return save_pretrained(net, about, tmp_path / "network", source="last.ckpt")


@pytest.mark.parametrize(("arch", "norm", "norm_options", "arch_options"), NETWORKS)
def test_round_trip(tmp_path, arch, norm, norm_options, arch_options):
    """Logits to the bit, everything that is known, and from another place than it was saved to."""
    about = _about(arch, norm, norm_options, arch_options)
    net = sane(make_model(arch, 3, norm, norm_options, arch_options))
    save_pretrained(net, about, tmp_path / "here", source="last.ckpt")
    shutil.move(tmp_path / "here", tmp_path / "there")
    again, known = load_network(tmp_path / "there")
    assert known == about
    assert not again.training
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in net.state_dict().items())
    clips = torch.randn(SIZE if arch in ("i3d_tiny", "x3d_xs") else (1, 3, 8, 64, 64))
    with torch.inference_mode():
        assert torch.equal(net(clips), again(clips))


def test_a_published_network(downloads, tmp_path):
    network = sane(hub.x3d_xs())
    torch.save({"model_state": network.state_dict()}, downloads / "X3D_XS.pyth")
    net, about = load_network("zoo:x3d_xs")
    save_pretrained(net, about, tmp_path / "x3d", source="zoo:x3d_xs")
    (downloads / "X3D_XS.pyth").unlink()
    again, known = load_network(str(tmp_path / "x3d"))
    assert known == about
    clips = torch.randn(1, 3, 4, 160, 160)
    with torch.inference_mode():
        assert torch.equal(net(clips), again(clips))
    card = (tmp_path / "x3d" / "README.md").read_text()
    assert "The weights are those of `zoo:x3d_xs` (their licence: none stated (the code: Apache-2.0))." in card


def test_the_card_of_a_release_names_its_file_and_licence(tmp_path):
    """Not the folder of the file; the licence binds whoever publishes the weights again."""
    file = tmp_path / "i3d_baseline_32x2_IN_pretrain_400k.pkl"
    file.touch()
    net = make_model("i3d_tiny", 3, "gn")
    save_pretrained(net, _about(), tmp_path / "out", source=f"nonlocal:{file}")
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"`nonlocal:{file.name}` (their licence: CC-BY-NC 4.0)" in card
    assert str(tmp_path) not in card


def test_the_files(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "preprocessor_config.json",
    ]
    config = json.loads((folder / "config.json").read_text())
    wanted = {**_about(arch_options={"width": 8}), "mean": [0.1, 1 / 3, 0.7], "std": [0.2, 0.225, 1 / 7]}
    del wanted["class_names"]
    assert {name: config[name] for name in wanted} == wanted
    assert config["id2label"] == {"0": "jump", "1": "run", "2": "sit"}
    assert config["versions"]["torch"] == torch.__version__.partition("+")[0]
    with safetensors.safe_open(folder / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # which other readers ask for


def test_what_other_programs_read_of_the_input(folder):
    """The keys of transformers' video processors; one centred view gives the same pixels."""
    said = json.loads((folder / "preprocessor_config.json").read_text())
    assert said["size"] == {"shortest_edge": 36}
    assert said["crop_size"] == {"height": 32, "width": 32}
    assert (said["image_mean"], said["image_std"]) == ([0.1, 1 / 3, 0.7], [0.2, 0.225, 1 / 7])
    assert (said["resample"], said["rescale_factor"]) == (2, 1 / 255)
    assert all(said[f"do_{step}"] for step in ("resize", "center_crop", "rescale", "normalize"))


def test_a_predictor_saves_the_views_that_it_takes(trained, motion, tmp_path):
    video = str(next(motion.glob("val/contract/*.mp4")))
    predictor = Predictor(
        trained / "checkpoints" / "last.ckpt", num_clips=2, crops="three_crop", device="cpu", time_limit=0
    )
    assert predictor.save_pretrained(tmp_path / "out") == tmp_path / "out"
    again = Predictor.from_pretrained(tmp_path / "out", device="cpu", time_limit=0)
    assert next(again.predict(video, top_k=8)).scores == next(predictor.predict(video, top_k=8)).scores
    assert again.class_names == predictor.class_names
    overridden = Predictor.from_pretrained(str(tmp_path / "out"), num_clips=1, device="cpu", time_limit=0)
    assert next(overridden.predict(video)).scores != next(predictor.predict(video)).scores


def test_a_folder_is_tested_like_its_checkpoint(videogn, trained, motion, tmp_path):
    """By the command that makes it, and by `videogn test` and `predict`; the accuracies are in the card."""
    last = trained / "checkpoints" / "last.ckpt"
    out = tmp_path / "out"
    assert videogn("export", str(last), "--format=hf", f"--out={out}") == 0
    results = []
    for source, number in ((last, 0), (out, 1)):
        arguments = evaluation_arguments("test", motion, tmp_path / str(number), source)
        assert videogn(*arguments) == 0
        results.append(json.loads((tmp_path / str(number) / "results.json").read_text()))
        predictions = (tmp_path / str(number) / "predictions.csv").read_text()
        results[-1]["predictions"] = predictions
    differing = {name for name in results[0] if results[0][name] != results[1][name]}
    assert differing == {"checkpoint", "training", "loaded"}
    assert results[1]["checkpoint"] == str(out)
    video = str(next(motion.glob("val/contract/*.mp4")))
    assert videogn("predict", video, f"--checkpoint={out}", "--device=cpu", f"--output={tmp_path / 'a.csv'}") == 0


def test_weights_to_start_from(folder):
    """Fine-tuning on other classes keeps the trunk and the input's normalisation."""
    report = load_weights(make_model("i3d_tiny", 5, "gn", None, {"width": 8}), folder, class_names=list("abcde"))
    assert report.missing == ["blocks.6.proj.weight", "blocks.6.proj.bias"]
    assert (report.mean, report.std) == ((0.1, 1 / 3, 0.7), (0.2, 0.225, 1 / 7))


def test_a_stop_leaves_weights_and_classes_of_one_network(folder, tmp_path, monkeypatch):
    """Weights beside the classes of others would be answers of other names, in silence."""
    there = shutil.copytree(folder, tmp_path / "there")
    before = {path.name: path.read_bytes() for path in there.iterdir()}
    net, about = load_network(there)

    def stopped(path, value):
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr("videogn.inference.pretrained.write_json", stopped)
    with pytest.raises(Stopped):
        save_pretrained(net.apply(_zero), about, there, source=there)
    assert {path.name: path.read_bytes() for path in there.iterdir()} == before


def _zero(module):
    for each in module.parameters(recurse=False):
        torch.nn.init.zeros_(each)


def test_a_readme_that_is_there_is_kept(folder):
    (folder / "README.md").write_text("filled in by hand")
    net, about = load_network(folder)
    save_pretrained(net, about, folder, source=folder)
    assert (folder / "README.md").read_text() == "filled in by hand"


def test_a_file_is_no_folder(folder, tmp_path):
    net, about = load_network(folder)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file is a file; a network in the Hugging Face layout is a folder"):
        save_pretrained(net, about, tmp_path / "file", source=folder)
    with pytest.raises(ValueError, match="file is a file, no folder in the Hugging Face layout"):
        Predictor.from_pretrained(tmp_path / "file")
    with pytest.raises(FileNotFoundError, match="did you mean"):
        Predictor.from_pretrained(tmp_path / "netwrk")


def test_the_network_of_another_library_is_not_replaced(folder, tmp_path):
    net, about = load_network(folder)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "config.json").write_text('{"model_type": "videomae"}')
    with pytest.raises(ValueError, match=r"config\.json was not written by videogn and is not replaced"):
        save_pretrained(net, about, tmp_path / "theirs", source=folder)
    assert [path.name for path in (tmp_path / "theirs").iterdir()] == ["config.json"]
    assert save_pretrained(net, about, folder, source=folder) == folder  # our own is


def test_nothing_is_written_that_would_be_refused(tmp_path, folder):
    net, about = load_network(folder)
    with pytest.raises(ValueError, match="must be a class name"):
        save_pretrained(net, {**about, "class_names": ["a", "b\n", "c"]}, tmp_path / "new", source=folder)
    assert not (tmp_path / "new").exists()


def _change(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _tensors(folder, change):
    path = folder / "model.safetensors"
    tensors = safetensors.torch.load_file(path)
    change(tensors)
    safetensors.torch.save_file(tensors, path)


class _Bomb:
    def __reduce__(self):
        return (sys.exit, ("unpickled",))


HOSTILE = {
    "another network": (lambda f: _change(f, arch_options={"width": 16}), r"blocks\.0\.\S+ is F32 \(8, .* it is float"),
    "an enormous one": (lambda f: _change(f, arch_options={"width": 10**6}), r"blocks\.0\.\S+ is F32 \(8, "),
    "other classes": (lambda f: _change(f, id2label={"0": "a"}, label2id={"a": 0}), r"blocks\.6\.proj.* it is float32"),
    "unknown network": (
        lambda f: _change(f, arch="i3d_tinny"),
        r"config\.json: arch must be .*did you mean 'i3d_tiny'",
    ),
    "unknown norm": (lambda f: _change(f, norm="gnn"), r"config\.json: norm must be one of"),
    "unknown option": (lambda f: _change(f, norm_options={"grups": 2}), r"config\.json: norm 'gn' takes .*'groups'"),
    "option of another type": (lambda f: _change(f, norm_options={"groups": "x"}), r"config\.json: "),
    "options that do not fit": (lambda f: _change(f, norm_options={"groups": 3}), r"config\.json: .*groups"),
    "norm with statistics": (lambda f: _change(f, norm="bn"), r"lacks blocks\.0\.norm\.running_mean"),
    "code": (lambda f: _change(f, arch="os.system"), r"config\.json names os\.system, a part of Python itself"),
    "a path": (lambda f: _change(f, norm="../../x.py"), r"norm must be a name"),
    "other library": (lambda f: _change(f, model_type="timesformer"), "network of another library"),
    "missing tensor": (
        lambda f: _tensors(f, lambda tensors: tensors.pop("blocks.6.proj.bias")),
        r"lacks blocks\.6\.proj\.bias, a tensor of the network that config\.json names",
    ),
    "a tensor too many": (
        lambda f: _tensors(f, lambda t: t.update(x=torch.ones(1))),
        "has a tensor 'x' that the network",
    ),
    "whole numbers": (
        lambda f: _tensors(f, lambda t: t.update({"blocks.6.proj.bias": torch.ones(3, dtype=torch.int64)})),
        r"proj\.bias is I64 \(3,\).* it is float32 \(3,\)",
    ),
    "a pickle": (
        lambda f: (f / "model.safetensors").write_bytes(pickle.dumps(_Bomb())),
        "model.safetensors is damaged or was not written by safetensors",
    ),
    "a torch file": (
        lambda f: torch.save({"a": torch.ones(1)}, f / "model.safetensors"),
        "model.safetensors is damaged or was not written by safetensors",
    ),
    "half a file": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-10]),
        "model.safetensors is damaged",
    ),
    "no weights": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        "has no model.safetensors; other files of weights in such a folder are not read",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_folders(folder, kind):
    change, message = HOSTILE[kind]
    change(folder)
    with pytest.raises(ValueError, match=message) as caught:
        load_network(folder)
    assert "\n" not in str(caught.value)


def test_code_from_outside_is_imported_only_when_it_is_trusted(tmp_path, outside):
    about = _about(norm="own_norms.rms_group_norm", norm_options={"groups": 2}, arch_options={"width": 8})
    net = sane(make_model("i3d_tiny", 3, about["norm"], about["norm_options"], about["arch_options"]))
    folder = save_pretrained(net, about, tmp_path / "own", source="last.ckpt")
    del sys.modules["own_norms"]
    (folder / "own_norms.py").write_text("raise SystemExit('run')")  # what lies in the folder is not looked at
    with pytest.raises(ValueError, match=r"config\.json names own_norms\.rms_group_norm, .* add --trust own_norms$"):
        load_network(folder)
    assert "own_norms" not in sys.modules
    again, _ = load_network(folder, trust=["own_norms"])
    clips = torch.randn(SIZE)
    with torch.inference_mode():
        assert torch.equal(net(clips), again(clips))
    _tensors(folder, lambda tensors: tensors.pop("blocks.6.proj.bias"))
    with pytest.raises(ValueError, match=r"lacks blocks\.6\.proj\.bias"):
        load_network(folder, trust=["own_norms"])
