"""What a checkpoint says about those beside it is taken by name: a resumed run removes and copies nothing else."""

from __future__ import annotations

import pytest

from videogn.training.kept_checkpoints import best_of, of_one_folder

SCORED = {"monitor": "val/top1", "best_model_score": 0.5}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/a/b/best.ckpt", "best.ckpt"),
        ("epoch=1.ckpt", "epoch=1.ckpt"),
        ("", None),
        (None, None),
        (5, None),
        ("/a/..", None),
        ("/etc/passwd", None),
        (".hidden.ckpt", None),
        ("a\0.ckpt", None),
    ],
)
def test_the_best_is_named_by_its_file(path, name):
    assert best_of({**SCORED, "best_model_path": path}) == name


@pytest.mark.parametrize(
    "state", [None, [], 3, {}, {"monitor": None, "best_model_score": 1, "best_model_path": "a.ckpt"}]
)
def test_no_best(state):
    assert best_of(state) is None


def test_paths_elsewhere_are_left_out():
    outside = [
        "/runs/checkpoints/../../home.ckpt",
        "/home/user",
        "/runs/checkpoints",
        "/runs/checkpoints/sub/a.ckpt",
        5,
    ]
    state = {
        "dirpath": "/runs/checkpoints",
        "best_k_models": dict.fromkeys(outside, 0.1),
        "last_model_path": "/home/a",
    }
    state["best_k_models"]["/runs/checkpoints/best.ckpt"] = 0.5
    state["best_model_path"] = "/runs/checkpoints/best.ckpt"
    kept = of_one_folder(state)
    assert kept["best_k_models"] == {"/runs/checkpoints/best.ckpt": 0.5}
    assert (kept["best_model_path"], kept["last_model_path"]) == ("/runs/checkpoints/best.ckpt", "")
    assert of_one_folder({**state, "best_k_models": [1], "dirpath": None})["best_k_models"] == {}
