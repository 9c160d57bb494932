"""Weights of a peer's zoo are tested by the peer's protocol, unless another one is asked for."""

from __future__ import annotations

import json

import pytest
from training import SMALL, TINY

from videogn.models import make_model, weight_sources
from videogn.models.inflation import DEFAULT
from videogn.models.weight_sources import SourceWeights


@pytest.mark.parametrize(
    ("source", "given", "protocol"),
    [
        ("zoo:tiny", [], "slowfast"),
        ("zoo:tiny", ["--data.protocol=nonlocal"], "nonlocal"),
        ("timm:tiny", [], "nonlocal"),
    ],
)
def test_the_zoo(videogn, motion, tmp_path, monkeypatch, source, given, protocol):
    network = make_model("i3d_tiny", 8, "bn", arch_options={"width": 8})
    weights = SourceWeights(network.state_dict(), "videogn", DEFAULT)
    for kind in ("zoo", "timm"):
        monkeypatch.setitem(weight_sources._COLLECTIONS, kind, lambda name: weights)
    options = ("--model.norm=bn", f"--model.init_from={source}", f"--model.results_dir={tmp_path}", *given)
    assert videogn("test", *SMALL, *TINY, f"--data.root={motion}", *options) == 0
    assert json.loads((tmp_path / "results.json").read_text())["protocol"]["starts"] == protocol
