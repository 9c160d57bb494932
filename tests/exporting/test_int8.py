"""Networks in 8 bits: smaller, near to themselves, with the metadata that they had."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from written import ABOUT, Logits, Probabilities, metadata, write

from videogn.engine_files import describe_engine, open_engine
from videogn.engine_files.onnx_file import describe_onnx
from videogn.exporting.int8 import export_int8, write_int8
from videogn.inference import load_network
from videogn.training.task import VideoClassifier
from videogn.video.transforms import normalise

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    torch.manual_seed(0)
    names, view = ["a", "b", "c"], {"clip_length": 2, "crop_size": 16, "short_side": 16, "crops": "center"}
    task = VideoClassifier("i3d_tiny", "bn", arch_options={"width": 4}, class_names=names, **view)
    path = tmp_path_factory.mktemp("source") / "bn.ckpt"
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def clips():
    return list(torch.randn(6, 1, 3, 2, 16, 16, generator=torch.Generator().manual_seed(0)))


def test_onnx(source, clips, tmp_path):
    out = tmp_path / "small.onnx"
    made, found = export_int8(source, "onnx", out, clips)
    net, _ = load_network(source)
    engine = open_engine(out)
    with torch.no_grad():
        differences = [float((engine(clip) - net(clip)).abs().max()) for clip in clips]
        spread = max(float(net(clip).abs().max()) for clip in clips)
    assert found.max_difference == pytest.approx(max(differences), abs=1e-5)
    assert 0 < found.max_difference < 0.2 * spread
    assert found.clips == 6
    told = json.loads(describe_onnx(out))
    assert told["quantisation"]["activations"] == "uint8"
    assert told["quantisation"]["max_difference"] == found.max_difference
    assert told["about"] == json.loads(json.dumps(made.metadata["about"]))  # tuples become lists
    model = onnx.load(out)
    weights = [onnx.numpy_helper.to_array(each) for each in model.graph.initializer]
    small = [weight for weight in weights if weight.dtype == np.int8 and weight.ndim == 5]
    assert len(small) == sum(isinstance(layer, torch.nn.Conv3d) for layer in net.modules())
    assert not any(weight.dtype == np.float32 and weight.ndim == 5 for weight in weights)


def test_openvino_with_preprocessing(tmp_path):
    pytest.importorskip("openvino")
    net = Logits().eval()
    plain, out = tmp_path / "plain.onnx", tmp_path / "small.xml"
    write(plain, Probabilities(net), metadata(pixels=True), pixels=True)
    pixels = torch.randint(256, (4, 1, 3, 4, 8, 8), dtype=torch.uint8)
    clips = [normalise(each, ABOUT["mean"], ABOUT["std"]) for each in pixels]
    found = write_int8(plain, "openvino", out, clips)
    assert describe_engine(out).pixels
    assert found.clips == 4
    for clip in clips:
        with torch.no_grad():
            expected = net(clip).softmax(1).mean((2, 3, 4))
        torch.testing.assert_close(open_engine(out)(clip).softmax(1).flatten(1), expected, atol=0.05, rtol=0)


def test_what_is_refused(clips, tmp_path):
    with pytest.raises(ValueError, match="int8 needs the format onnx or openvino, got torch-export"):
        export_int8("x", "torch-export", tmp_path / "a.pt2", clips)
    with pytest.raises(ValueError, match=r"must end with \.onnx"):
        export_int8("x", "onnx", tmp_path / "a.xml", clips)
