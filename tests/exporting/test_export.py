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

from videogn.exporting.check import Agreement
from videogn.exporting.export import export
from videogn.exporting.formats import FORMATS
from videogn.inference import Predictor, load_network
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
    options = {"arch": "i3d_tiny", "arch_options": {"width": 8}, "clip_length": 4, "crop_size": 32, "short_side": 32}
    torch.manual_seed(1)
    task = VideoClassifier(class_names=names, **{**options, **settings})
    for name, value in task.net.state_dict().items():
        if value.ndim == 1:
            value.uniform_(0.5, 1.5) if "mean" not in name else value.normal_(0, 0.3)
    torch.save({"hyper_parameters": dict(task.hparams), "state_dict": task.state_dict()}, path)
    return path


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint tested on center crops, so that its size is fixed."""
    return _checkpoint(tmp_path_factory.mktemp("tiny") / "tiny.ckpt", crops="center")


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "onnx"])
@pytest.mark.parametrize("preprocessing", [False, True])
def test_formats(name, preprocessing, tiny, tmp_path):
    """The file, opened anew, gives the network's logits or probabilities for a batch that was not seen."""
    form = FORMATS[name]
    for package in form.packages:
        pytest.importorskip(package)
    made = export(tiny, name, tmp_path / f"m{form.suffix}", preprocessing=preprocessing)
    clips = torch.randint(256, (5, 3, 4, 32, 32), dtype=torch.uint8)
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
    assert told["input"]["size"] == {"B": None, "C": 3, "T": 4, "H": 32, "W": 32}
    assert told["input"]["dtype"] == ("uint8" if preprocessing else "float32")
    assert told["about"]["class_names"] == about["class_names"]
    assert (told["about"]["num_clips"], told["about"]["protocol"]) == (10, "nonlocal")
    assert told["check"]["random clips"]["same_top1"] == 4
    assert len(told["source"]["sha256"]) == 64


@pytest.mark.parametrize("norm", ["bcn", "brn", "none", "sub_bn", "ws+gn"])
def test_norms_of_our_own_can_be_traced(norm, tmp_path):
    made = export(_checkpoint(tmp_path / "n.ckpt", norm=norm, crops="center"), "torch-export", tmp_path / "n.pt2")
    assert made.checks["random clips"].max_difference < 1e-6


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


def test_a_wrong_shape_or_a_number_that_is_none_is_no_agreement():
    assert not Agreement(1, float("nan"), 1.0, 1).accepted
    assert not Agreement(1, 2e-4, 1.0, 1).accepted
    assert Agreement(1, 2e-4, 3.0, 1).accepted


def test_the_command_says_what_it_wrote(tiny, tmp_path, videogn, capsys):
    out = tmp_path / "m.pt2"
    assert videogn("export", tiny, "--format", "torch-export", "--out", out, "--with-preprocessing") == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("4 random clips: largest difference of probabilities ")
    assert last == f"{out}: frames uint8 (B, 4, 32, 32, 3) -> probabilities float32 (B, K)"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--format", "onnx", "--out", "m.pt2"], "the file of the format onnx must end with .onnx, got m.pt2"),
        (["--format", "onx", "--out", "m.onnx"], "did you mean 'onnx'?"),
        (["--format", "onnx", "--out", "m.onnx", "--videos", "none.mp4"], "no such file or folder: none.mp4"),
    ],
)
def test_refusals(arguments, line, tiny, videogn, capsys):
    assert videogn("export", tiny, *arguments) == 2
    assert line in capsys.readouterr().err


def test_a_missing_package_is_named_with_its_extra(tiny, videogn, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert videogn("export", tiny, "--format", "openvino", "--out", "m.xml") == 2
    assert "the format openvino needs openvino: pip install 'videogn[openvino]'" in capsys.readouterr().err
