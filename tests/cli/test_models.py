"""The list of networks and published weights, against the packages and the documents."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from torchvision.models import get_model_weights, get_weight

from videogn.cli import models
from videogn.models import MODELS
from videogn.models.network_sources import published_networks
from videogn.norm import NORMS

#: The norms that fit into any network with BatchNorm.
LAYERS = [norm for norm in NORMS if norm not in ("evonorm_s0", "frn", "nf")]
DOCS = Path(__file__).parents[2] / "docs"


def _listed(videogn, capsys, *names):
    assert videogn("models", *names, "--json") == 0
    return json.loads(capsys.readouterr().out)


def test_torchvisions_own_numbers(videogn, capsys):
    """Parameters and multiply-adds of the input that the weights were trained on, and the accuracy of the weights."""
    listed = _listed(videogn, capsys, "R3D_18", "mvit_v2_s")
    assert [row["name"] for row in listed["architectures"]] == ["r3d_18", "mvit_v2_s"]
    for row in listed["architectures"]:
        (weights,) = get_model_weights(row["name"])
        assert row["parameters"] == weights.meta["num_params"]
        assert row["multiply_adds"] / 1e9 == pytest.approx(weights.meta["_ops"], abs=1e-3)
    assert [row["norms"] for row in listed["architectures"]] == [LAYERS, ["ln"]]
    for row in listed["sources"]:
        weights = get_weight(row["name"].removeprefix("torchvision:"))
        assert row["published_top1"] == weights.meta["_metrics"]["Kinetics-400"]["acc@1"]
        assert row["licence"].startswith("none stated")


def test_a_source_brings_its_network(videogn, capsys):
    listed = _listed(videogn, capsys, "zoo:i3d")
    (network,) = listed["architectures"]
    assert network["norms"] == list(NORMS)
    assert (network["name"], network["multiply_adds"]) == ("i3d_r50_8x8", pytest.approx(37.106e9, rel=1e-4))
    (source,) = listed["sources"]
    assert (source["arch"], source["norm"], source["published_top1"]) == ("i3d_r50_8x8", "bn", 73.27)
    assert (source["clip_length"], source["interval"], source["crop_size"], source["num_clips"]) == (8, 8, 256, 10)


def test_published_accuracies_are_those_of_the_documents():
    """Of the Non-local release's files, whose README they are from."""
    table = dict(re.findall(r"`(i3d_baseline_\w+\.pkl)`.*\| ([\d.]+)", (DOCS / "weights.md").read_text()))
    published = {source.removeprefix("nonlocal:"): network.top1 for source, network in published_networks()}
    assert len(table) == 4
    assert {name: published[name] for name in table} == {name: float(value) for name, value in table.items()}


def test_every_source_has_a_network_that_takes_it():
    networks = dict(published_networks())
    assert len(networks) == 12 + 10 + 4
    assert {network.arch for network in networks.values()} <= set(MODELS)
    assert all(60 < network.top1 < 85 for network in networks.values())


def test_the_tables_fit_a_terminal(videogn, capsys, monkeypatch):
    monkeypatch.setattr(models, "_architecture", lambda arch, clip: {**_ROW, "name": arch})
    assert videogn("models") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert all(name in text for name in MODELS)
    assert "Swin3D_B_Weights.KINETICS400_IMAGENET22K_V1 32 at 15 fps" in text
    assert "as its publishers state it" in text


_ROW = {"parameters": 1e8, "multiply_adds": 1e11, "norms": ["ln"], "clip_length": 16, "interval": 1, "fps": 7.5}
_ROW |= {"crop_size": 224}


def test_a_name_that_is_not_there(videogn, capsys):
    assert videogn("models", "x3dd") == 2
    assert "no network is named like x3dd; did you mean 'x3d_" in capsys.readouterr().err
