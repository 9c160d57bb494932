"""Exported files opened as networks: the logits of the network that was exported, or one clear line."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from written import ABOUT, Logits, Probabilities, metadata, write

from videogn.engine_files import describe_engine, engine_facts, open_engine
from videogn.engine_files.description import read_description
from videogn.evaluation.views import clip_probabilities
from videogn.inference import load_network
from videogn.video.transforms import normalise

PACKAGES = {".pt2": "torch", ".onnx": "onnxruntime", ".xml": "openvino"}
FORMATS = {".pt2": "torch-export", ".onnx": "onnx", ".xml": "openvino"}


@pytest.fixture(scope="module", params=PACKAGES)
def suffix(request):
    pytest.importorskip(PACKAGES[request.param])
    return request.param


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    return Logits().eval()


@pytest.fixture(scope="module")
def of_pixels(net):
    return Probabilities(net)


@pytest.fixture(scope="module")
def exported(net, suffix, tmp_path_factory):
    return write(tmp_path_factory.mktemp("files") / f"net{suffix}", net, metadata())


def test_logits(net, exported):
    """Also of other numbers of clips, frames and pixels than it was traced with."""
    engine, about = load_network(exported)
    said = {name: value for name, value in ABOUT.items() if value is not None}
    assert about == {**said, "mean": tuple(ABOUT["mean"]), "std": tuple(ABOUT["std"])}
    for size in ((2, 3, 4, 8, 8), (1, 3, 6, 9, 14)):
        clips = torch.randn(size)
        with torch.no_grad():
            torch.testing.assert_close(engine(clips), net(clips), rtol=1e-5, atol=1e-5)


def test_threads(suffix, exported, monkeypatch):
    """The engine has as many as torch."""
    asked = []
    if suffix == ".onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession
        monkeypatch.setattr(
            onnxruntime,
            "InferenceSession",
            lambda path, options, **more: asked.append(options.intra_op_num_threads) or session(path, options, **more),
        )
    elif suffix == ".xml":
        import openvino

        compile_model = openvino.Core.compile_model
        monkeypatch.setattr(
            openvino.Core,
            "compile_model",
            lambda core, path, device, settings: (
                asked.append(settings["INFERENCE_NUM_THREADS"]) or compile_model(core, path, device, settings)
            ),
        )
    else:
        pytest.skip("it is torch")
    open_engine(exported)
    assert set(asked) == {torch.get_num_threads()}


def test_pixels_in_and_probabilities_out(net, of_pixels, suffix, tmp_path):
    """From normalised clips it recovers the pixels exactly: the probabilities are those of the network."""
    path = write(tmp_path / f"net{suffix}", of_pixels, metadata(pixels=True), pixels=True)
    pixels = torch.randint(256, (3, 3, 5, 8, 8), dtype=torch.uint8)
    clips = normalise(pixels, ABOUT["mean"], ABOUT["std"])
    with torch.no_grad():
        logits, expected = open_engine(path)(clips), clip_probabilities(net(clips))
    assert logits.shape == (3, 5, 1, 1, 1)
    torch.testing.assert_close(clip_probabilities(logits), expected, rtol=1e-5, atol=1e-6)


def test_every_pixel_value_is_recovered():
    """At any sensible mean and standard deviation."""
    values = torch.arange(256, dtype=torch.uint8).view(1, 1, 256, 1, 1).expand(1, 3, -1, -1, -1)
    imagenet = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    for mean, std in (([0.45] * 3, [0.225] * 3), imagenet, ([0.0] * 3, [1.0] * 3)):
        description = read_description("f", metadata(pixels=True, about={**ABOUT, "mean": mean, "std": std}))
        given = description.prepared(normalise(values, mean, std))
        assert torch.equal(given.permute(0, 4, 1, 2, 3), values)


def test_files_of_fixed_size(net, suffix, tmp_path):
    """A batch is cut into parts and filled; other views are refused, before and when they come."""
    size = {"B": 2, "T": 4, "H": 8, "W": 8}
    path = write(tmp_path / f"net{suffix}", net, metadata(size=size), free=False)
    engine, clips = open_engine(path), torch.randn(5, 3, 4, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(engine(clips), net(clips), rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="takes clips of T x H x W = 4 x 8 x 8, got 4 x 8 x 10"):
        engine(torch.zeros(1, 3, 4, 8, 10))
    engine.description.check_views(clip_length=4, side=8)
    with pytest.raises(ValueError, match="takes clips of 4 frames, got clip_length 8"):
        engine.description.check_views(clip_length=8, side=8)
    for side, words in ((None, "whole frames of any width"), (10, "10 x 10 pixels")):
        with pytest.raises(ValueError, match=f"takes views of 8 x 8 pixels only, got {words}"):
            engine.description.check_views(clip_length=4, side=side)


def test_files_of_others(net, suffix, tmp_path):
    path = write(tmp_path / f"net{suffix}", net, None)
    with pytest.raises(ValueError, match="was not written by `videogn export`"):
        open_engine(path)


def test_files_that_are_none(suffix, tmp_path):
    path = tmp_path / f"net{suffix}"
    path.write_text("no network")
    with pytest.raises(ValueError, match=r"is no .*file") as caught:
        open_engine(path)
    assert "\n" not in str(caught.value)


def test_facts(suffix, exported):
    facts = engine_facts(exported)
    content = exported.read_bytes()
    if suffix == ".xml":
        content += exported.with_suffix(".bin").read_bytes()
    assert facts["sha256"] == hashlib.sha256(content).hexdigest()
    assert facts["format"] == FORMATS[suffix]
    assert facts["runtime"].startswith(f"{PACKAGES[suffix]} ")


@pytest.mark.parametrize(
    "change",
    [
        lambda found: found.pop("input"),
        lambda found: found["about"].pop("class_names"),
        lambda found: found["about"].update(class_names=[1]),
        lambda found: found["about"].update(mean=[0.1]),
        lambda found: found["about"].update(std=["a", "b", "c"]),
        lambda found: found["about"].update(clip_length=0),
        lambda found: found["input"].update(crops="half"),
        lambda found: found["input"].update(layout="BCT"),
        lambda found: found["input"].update(dtype="float16"),
        lambda found: found.update(about=3),
    ],
)
def test_metadata_that_says_too_little(change):
    found = json.loads(metadata())
    change(found)
    with pytest.raises(ValueError, match=r"net\.onnx says about its network what this version"):
        read_description("net.onnx", json.dumps(found))


def test_names(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no such file"):
        open_engine(tmp_path / "gone.onnx")
    (tmp_path / "net.ckpt").touch()
    with pytest.raises(ValueError, match=r"an exported file ends in \.onnx, \.xml, \.pt2, got"):
        describe_engine(tmp_path / "net.ckpt")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    (tmp_path / "net.xml").touch()
    with pytest.raises(ModuleNotFoundError, match=r"net\.xml needs openvino: pip install 'videogn\[openvino\]'"):
        open_engine(tmp_path / "net.xml")
