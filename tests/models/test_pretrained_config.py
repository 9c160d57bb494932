"""config.json: what is written is what is read, and nothing wrong or hostile gets through."""

from __future__ import annotations

import json

import pytest

from videogn.choices import EvaluationViews
from videogn.models.pretrained_config import PretrainedConfig, checked, config_entries, read_config

CONFIG = PretrainedConfig(
    arch="i3d_tiny",
    norm="gn",
    norm_options={"groups": 4},
    arch_options={"pool_window": [None, 4, 4], "memory_mode": "plain"},
    class_names=("jump", "run", "Ünï 'code'"),
    views=EvaluationViews(
        clip_length=8, interval=4, fps=12.5, mean=(0.1, 1 / 3, 0.7), std=(0.2, 0.225, 1.0), antialias=False, num_clips=3
    ),
    clips_per_forward=5,
)


def _write(folder, **changes):
    entries = {**config_entries(CONFIG), **changes}
    (folder / "config.json").write_text(json.dumps(entries), encoding="utf-8")
    return folder


def test_round_trip(tmp_path):
    assert read_config(_write(tmp_path)) == CONFIG


def test_entries():
    entries = config_entries(CONFIG)
    assert entries["id2label"] == {"0": "jump", "1": "run", "2": "Ünï 'code'"}
    assert entries["label2id"] == {"jump": 0, "run": 1, "Ünï 'code'": 2}
    assert (entries["model_type"], entries["arch"], entries["norm"]) == ("videogn", "i3d_tiny", "gn")
    assert (entries["clip_length"], entries["interval"], entries["fps"]) == (8, 4, 12.5)
    assert (entries["mean"], entries["std"]) == ((0.1, 1 / 3, 0.7), (0.2, 0.225, 1.0))


def test_entries_of_others_are_passed_over(tmp_path):
    assert read_config(_write(tmp_path, torch_dtype="float32", auto_map={"AutoModel": "code.Model"})) == CONFIG


def test_many_classes_in_the_order_of_their_numbers(tmp_path):
    """Keys of JSON are text, whose order is another: "10" comes before "2"."""
    names = {str(number): f"class {number}" for number in sorted(range(120), key=str)}
    read = read_config(_write(tmp_path, id2label=names, label2id=None))
    assert read.class_names == tuple(f"class {number}" for number in range(120))


WRONG = [
    ({"model_type": "videomae"}, "model_type is 'videomae': this is a network of another library; videogn loads"),
    ({"model_type": "timesformer"}, "of another library"),
    ({"model_type": None}, "it has no model_type"),
    ({"arch": "../../weights.ckpt"}, r"arch must be a name, such as 'i3d_r50' or 'gn', got '\.\./"),
    ({"arch": "/etc/passwd"}, "arch must be a name"),
    ({"arch": ["i3d_tiny"]}, "arch must be a name"),
    ({"norm": None}, "norm must be a name"),
    ({"norm": "a" * 5000}, r"norm must be a name.*\.\.\.$"),
    ({"norm_options": [1]}, "norm_options must be null or an object"),
    ({"norm_options": {"groups": 10**12}}, r"norm_options\.groups must be a plain value of moderate size"),
    ({"norm_options": {"groups": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}, r"norm_options\.groups must be a plain value"),
    ({"arch_options": {"sizes": [[0] * 900] * 900}}, r"arch_options\.sizes must be a plain value of moderate size"),
    ({"arch_options": {"pool_window": [[[[[[1]]]]]]}}, r"arch_options\.pool_window must be a plain value"),
    ({"arch_options": {"dropout": float("nan")}}, r"arch_options\.dropout must be a plain value"),
    ({"arch_options": {"a b": 1}}, "arch_options must be null or an object"),
    ({"clip_length": 0}, "clip_length must be a whole number from 1 to 10000, got 0"),
    ({"clip_length": 10**9}, "clip_length must be a whole number"),
    ({"clip_length": 8.0}, "clip_length must be a whole number"),
    ({"clip_length": True}, "clip_length must be a whole number"),
    ({"interval": "2"}, "interval must be a whole number"),
    ({"crop_size": -1}, "crop_size must be a whole number"),
    ({"short_side": 10**6}, "short_side must be a whole number"),
    ({"num_clips": 10**6}, "num_clips must be a whole number"),
    ({"clips_per_forward": 0}, "clips_per_forward must be a whole number"),
    ({"fps": -1}, "fps must be >= 0"),
    ({"fps": 10**6}, "fps must be >= 0 .* and <= 1000"),
    ({"fps": float("inf")}, "fps must be a number"),
    ({"fps": "25"}, "fps must be a number"),
    ({"fps": 10**400}, "fps must be a number"),
    ({"mean": [0.45, 0.45]}, "mean must hold three numbers"),
    ({"mean": "0.45"}, "mean must hold three numbers"),
    ({"mean": [0.45, 0.45, float("nan")]}, "mean must hold three numbers"),
    ({"std": [0.2, 0, 0.2]}, "std must hold three numbers"),
    ({"std": [0.2, 0.2, None]}, "std must hold three numbers"),
    ({"antialias": 1}, "antialias must be true or false, got 1"),
    ({"protocol": "slowfst"}, "protocol must be one of .*did you mean 'slowfast'"),
    ({"crops": 3}, "crops must be one of"),
    ({"id2label": {"0": "a", "2": "b"}}, r'id2label must have the keys "0" to "1", "1" is missing'),
    ({"id2label": {"1": "a", "2": "b"}}, '"0" is missing'),
    ({"id2label": {}}, "id2label must be an object of 1 to"),
    ({"id2label": ["a", "b"]}, "id2label must be an object"),
    ({"id2label": {"0": "a", "1": "a"}}, "id2label has the class 'a' twice"),
    ({"id2label": {"0": 5}}, r'id2label\["0"\] must be a class name, got 5'),
    ({"id2label": {"0": ""}}, "must be a class name"),
    ({"id2label": {"0": "\x1b]0;owned\x07"}}, "must be a class name"),
    ({"label2id": {"jump": 1, "run": 0, "Ünï 'code'": 2}}, "label2id is not the inverse of id2label"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG, ids=[f"{number}" for number in range(len(WRONG))])
def test_wrong_values(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_config(_write(tmp_path, **changes))
    assert str(caught.value).startswith(f"{tmp_path / 'config.json'}: ")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "name", sorted({*config_entries(CONFIG)} - {"norm_options", "arch_options", "fps", "label2id"})
)
def test_missing_values(name):
    entries = config_entries(CONFIG)
    del entries[name]
    with pytest.raises(ValueError, match=f"has no {name}"):
        checked(entries)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a JSON file in UTF-8"),
        (b"\xff\xfe", "not a JSON file in UTF-8"),
        (b"[" * 200_000, "not a JSON file in UTF-8"),
        (b"[1]", "must hold a JSON object, got list"),
        (b'{"clip_length": ' + b"9" * 5000 + b"}", "not a JSON file in UTF-8"),
    ],
)
def test_no_configuration(tmp_path, content, message):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_config(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_of_a_training_run_names_its_checkpoint(tmp_path):
    with pytest.raises(
        ValueError, match=r"is a folder without config\.json, so it holds no network in the Hugging Face layout"
    ):
        read_config(tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.ckpt").touch()
    with pytest.raises(ValueError, match=r"without config\.json, .*; did you mean .*last\.ckpt\?"):
        read_config(tmp_path)
