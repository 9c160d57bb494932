"""Weights of a peer's zoo and published networks are tested by the peer's protocol, unless another one is asked for."""

from __future__ import annotations

import json
import shutil

import pytest
import pytorchvideo.models.hub as hub
import torch
from training import SMALL, TINY
from video_networks import sane

from videogn.models import make_model, weight_sources
from videogn.models.inflation import DEFAULT
from videogn.models.weight_sources import SourceWeights


@pytest.mark.parametrize(
    ("source", "given", "protocol"),
    [
        ("zoo:x3d_s", [], "slowfast"),
        ("zoo:x3d_s", ["--data.protocol=nonlocal"], "nonlocal"),
        ("timm:tiny", [], "nonlocal"),
    ],
)
def test_the_zoo(videogn, motion, tmp_path, monkeypatch, source, given, protocol):
    network = make_model("i3d_tiny", 8, "bn", arch_options={"width": 8})
    weights = SourceWeights(network.state_dict(), "videogn", DEFAULT)
    for kind in ("zoo", "timm"):
        monkeypatch.setitem(weight_sources._COLLECTIONS, kind, lambda name: weights)
    options = ("--model.norm=bn", f"--model.init_from={source}", f"--model.results_dir={tmp_path}", *given)
    assert videogn("test", "--no-report", *SMALL, *TINY, f"--data.root={motion}", *options) == 0
    assert json.loads((tmp_path / "results.json").read_text())["protocol"]["starts"] == protocol


@pytest.fixture
def kinetics(motion, tmp_path):
    """A video each of two of Kinetics' classes, for validation; training has others."""
    for label, kind in (("abseiling", "contract"), ("zumba", "expand")):
        for split in ("train", "val"):
            folder = tmp_path / "kinetics" / split / label
            folder.mkdir(parents=True)
            shutil.copy(next(motion.glob(f"{split}/{kind}/*.mp4")), folder)
    return tmp_path / "kinetics"


@pytest.mark.parametrize(
    ("given", "views"),
    [
        ([], (10, "slowfast", "three_crop")),
        (["--data.num_clips=1", "--data.protocol=endpoint", "--model.crops=center"], (1, "endpoint", "center")),
    ],
)
def test_a_published_network(videogn, downloads, kinetics, tmp_path, given, views):
    torch.save({"model_state": sane(hub.x3d_xs()).state_dict()}, downloads / "X3D_XS.pyth")
    small = [option for option in SMALL if "num_clips" not in option]
    options = ("--ckpt_path=zoo:x3d_xs", f"--model.results_dir={tmp_path / 'out'}", f"--data.root={kinetics}", *given)
    assert videogn("test", "--no-report", *small, *options) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    protocol = results["protocol"]
    assert results["checkpoint"] == "zoo:x3d_xs"
    assert (protocol["clip_length"], protocol["interval"], protocol["short_side"]) == (4, 12, 182)
    assert (protocol["clips"], protocol["starts"], protocol["crops"]) == views


def test_a_published_network_is_no_run_to_go_on_with(videogn, capsys, motion, tmp_path):
    assert (
        videogn("fit", f"--data.root={motion}", "--ckpt_path=zoo:x3d_xs", f"--trainer.default_root_dir={tmp_path}") == 2
    )
    line = capsys.readouterr().err.splitlines()[-1]
    assert "zoo:x3d_xs is no training run to go on with; start from it with --model.init_from" in line
