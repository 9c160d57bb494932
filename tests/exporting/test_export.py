"""Exported files give what the network gives, and say what a program without videogn has to know."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torch import nn

from videogn.exporting.check import Agreement
from videogn.exporting.export import export
from videogn.exporting.formats import FORMATS, Format
from videogn.exporting.graph import BATCH_ONLY, Graph
from videogn.inference import Predictor, load_network
from videogn.norm import NORMS, make_norm
from videogn.source_names import ENGINE_SUFFIXES
from videogn.training.task import VideoClassifier
from videogn.video.transforms import normalise

DOCS = Path(__file__).parents[2] / "docs" / "export.md"
MEDIA = Path(__file__).parents[2].parent / "shared" / "media"
#: A process in which nothing but the standard library, numpy and onnxruntime can be imported runs a script.
_ALONE = """
import importlib.abc, runpy, sys

class OnlyThese(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "numpy", "onnxruntime"}:
            raise ModuleNotFoundError(f"no {name} here")

sys.meta_path.insert(0, OnlyThese())
script, model, *videos = sys.argv[1:]
for video in videos:
    sys.argv = [script, model, video]
    runpy.run_path(script, run_name="__main__")
"""


def _checkpoint(path: Path, **settings: object) -> Path:
    """A checkpoint as `videogn fit` writes it, its one-dimensional weights drawn at random."""
    names = [f"class {number}" for number in range(6)]
    options = {"arch": "i3d_tiny", "arch_options": {"width": 4}, "clip_length": 2, "crop_size": 16, "short_side": 16}
    torch.manual_seed(1)
    task = VideoClassifier(class_names=names, **{**options, **settings})
    for name, value in task.net.state_dict().items():
        if value.ndim == 1:
            value.uniform_(0.5, 1.5) if "mean" not in name else value.normal_(0, 0.3)
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint tested on center crops, so that its size is fixed. Its last layer leaves one position."""
    return _checkpoint(tmp_path_factory.mktemp("tiny") / "tiny.ckpt", crops="center")


@pytest.mark.parametrize(
    ("name", "preprocessing", "dynamic"),
    [("torch-export", False, "all"), ("onnx", True, "batch"), ("openvino", True, "batch")],
)
def test_formats(name, preprocessing, dynamic, tiny, tmp_path, capfd):
    """The file, opened anew, gives the network's logits or probabilities for clips that were not seen."""
    form = FORMATS[name]
    for package in form.packages:
        pytest.importorskip(package)
    path = tmp_path / f"m{ENGINE_SUFFIXES[name]}"
    made = export(tiny, name, path, preprocessing=preprocessing, dynamic=dynamic)
    assert capfd.readouterr() == ("", "")
    size = (3, 24, 40) if dynamic == "all" else (2, 16, 16)
    clips = torch.randint(256, (5, 3, *size), dtype=torch.uint8)
    net, about = load_network(tiny)
    with torch.no_grad():
        logits = net(normalise(clips, about["mean"], about["std"]))
    if preprocessing:
        found = form.run(made.path)(clips.permute(0, 2, 3, 4, 1).contiguous())
        torch.testing.assert_close(found, logits.softmax(1).mean((2, 3, 4)), atol=1e-5, rtol=0)
    else:
        found = form.run(made.path)(normalise(clips, about["mean"], about["std"]))
        torch.testing.assert_close(found, logits, atol=1e-5, rtol=0)
    told = json.loads(form.metadata(made.path))
    assert told == made.metadata
    free = [None] * 3 if dynamic == "all" else [2, 16, 16]
    assert told["input"]["size"] == dict(zip("BCTHW", (None, 3, *free), strict=True))
    assert told["input"]["dtype"] == ("uint8" if preprocessing else "float32")
    assert told["about"]["class_names"] == about["class_names"]
    assert (told["about"]["num_clips"], told["about"]["protocol"]) == (10, "nonlocal")
    assert told["check"]["random clips"]["same_top1"] == told["check"]["random clips"]["clips"]
    assert len(told["source"]["sha256"]) == 64


def test_norms_of_our_own_can_be_traced():
    """Each in a network of a convolution and the norm, which is what a larger one repeats."""
    for name in NORMS:
        net = nn.Sequential(nn.Conv3d(3, 32, 1), make_norm(name)(32)).eval()
        graph = Graph(net, (2, 4, 4), BATCH_ONLY, (0.45,) * 3, (0.225,) * 3, preprocessing=False, metadata={})
        clips = torch.randn(3, 3, 2, 4, 4)
        torch.testing.assert_close(graph.program().module()(clips), net(clips), msg=name)


def test_videos_that_the_docs_script_classifies_have_the_predictors_top5(trained, motion, tmp_path):
    """In a process with numpy and onnxruntime only: a trained network, on real films and on those it was made for."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    last = trained / "checkpoints" / "last.ckpt"
    videos = [next(motion.glob("val/expand/*.mp4")), *(MEDIA / name for name in ("av1_video.mkv", "h265_video.mp4"))]
    videos = [video for video in videos if video.exists()]
    made = export(last, "onnx", tmp_path / "model.onnx", videos=videos)
    assert made.dynamic == "all"
    assert made.checks["video clips"].clips == 2 * len(videos)
    script = tmp_path / "classify.py"
    script.write_text(DOCS.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0], encoding="utf-8")
    arrays = []
    for number, video in enumerate(videos):
        with av.open(str(video)) as opened:
            frames = np.stack([frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)])
        arrays.append(str(tmp_path / f"{number}.npy"))
        np.save(arrays[-1], frames)
    command = [sys.executable, "-c", _ALONE, str(script), str(made.path), *arrays]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=tmp_path)
    lines = iter(done.stdout.splitlines())
    for prediction in Predictor(last, device="cpu").predict(videos, top_k=5):
        pairs = [next(lines).split(" ", 1) for _ in prediction.scores]
        assert [name for _, name in pairs] == [name for name, _ in prediction.scores]
        assert [float(score) for score, _ in pairs] == pytest.approx([s for _, s in prediction.scores], abs=2e-3)


def test_a_file_that_differs_is_not_kept(tiny, tmp_path, monkeypatch, videogn, capsys):
    def far(*_: object) -> Agreement:
        return Agreement(4, 0.5, 2.0, 3)

    monkeypatch.setattr("videogn.exporting.export.agreement", far)
    out = tmp_path / "out" / "m.pt2"
    assert videogn("export", tiny, "--format", "torch-export", "--out", out) == 1
    assert "differs from the network by up to 0.5 on random clips" in capsys.readouterr().err
    assert list(out.parent.iterdir()) == []


def test_a_file_that_does_not_run_is_not_kept(tiny, tmp_path, monkeypatch, videogn, capsys):
    def broken(_):
        raise RuntimeError("no kernel\nand a page of symbols")

    saved = Format(lambda graph: None, lambda made, path, text: path.touch(), lambda path: broken, lambda path: None)
    monkeypatch.setitem(FORMATS, "torch-export", saved)
    assert videogn("export", tiny, "--format", "torch-export", "--out", tmp_path / "m.pt2") == 1
    assert "does not run on 1 clips of 2 x 16 x 16: no kernel" in capsys.readouterr().err
    assert not (tmp_path / "m.pt2").exists()


def test_a_wrong_shape_or_a_number_that_is_none_is_no_agreement():
    assert not Agreement(1, float("nan"), 1.0, 1).accepted
    assert not Agreement(1, 2e-4, 1.0, 1).accepted
    assert Agreement(1, 2e-4, 3.0, 1).accepted


def test_the_command_says_what_it_wrote(tiny, tmp_path, videogn, capsys):
    out = tmp_path / "m.pt2"
    assert videogn("export", tiny, "--format", "torch-export", "--out", out, "--with-preprocessing") == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("4 random clips: largest difference of probabilities ")
    assert last == f"{out}: frames uint8 (B, 2, 16, 16, 3) -> probabilities float32 (B, K)"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--format", "onnx", "--out", "m.pt2"], "the file of the format onnx must end with .onnx, got m.pt2"),
        (["--format", "onx", "--out", "m.onnx"], "did you mean 'onnx'?"),
        (["--format", "onnx", "--out", "m.onnx", "--videos", "none.mp4"], "no such file or folder: none.mp4"),
    ],
)
def test_refusals(arguments, line, tiny, videogn, capsys):
    for package in FORMATS["onnx"].packages:
        pytest.importorskip(package)
    assert videogn("export", tiny, *arguments) == 2
    assert line in capsys.readouterr().err


@pytest.mark.parametrize("form", ["onnx", "hf"])
def test_an_exported_network_is_no_source(form, tmp_path, videogn, capsys):
    """It has no weights by name: the folder would hold none."""
    for package in FORMATS[form].packages if form in FORMATS else ():
        pytest.importorskip(package)
    (tmp_path / "m.pt2").touch()
    out = tmp_path / "out.onnx"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("videogn.inference.loading.load_network", lambda source, trust: (torch.nn.Identity(), {}))
        assert videogn("export", tmp_path / "m.pt2", "--format", form, "--out", out) == 2
    assert "m.pt2 is an exported network; name the checkpoint that it was made of" in capsys.readouterr().err
    assert not out.exists()


def test_a_missing_package_is_named_with_its_extra(tiny, videogn, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert videogn("export", tiny, "--format", "openvino", "--out", "m.xml") == 2
    assert "the format openvino needs openvino: pip install 'videogn[openvino]'" in capsys.readouterr().err
