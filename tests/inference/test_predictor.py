"""The Predictor from Python."""

from __future__ import annotations

import doctest
import itertools
import shutil
import sys
from pathlib import Path

import pytest
import torch

from videogn.axes import Crop
from videogn.inference import Predictor, load_network, predictor
from videogn.models.fit_checkpoint import read_fit_checkpoint
from videogn.training.task import VideoClassifier


@pytest.fixture
def last(trained) -> Path:
    return trained / "checkpoints" / "last.ckpt"


def test_it_predicts_in_order_and_survives_bad_files(last, motion, tmp_path):
    (tmp_path / "empty.mp4").touch()
    good = sorted(str(path) for path in motion.glob("val/expand/*.mp4"))
    paths = [good[0], str(tmp_path / "empty.mp4"), str(tmp_path / "nowhere.mp4"), good[1]]
    predictor = Predictor(last, num_clips=2, device="cpu")
    predictions = list(predictor.predict(paths, top_k=3))
    assert [prediction.path for prediction in predictions] == paths
    assert [prediction.error for prediction in predictions] == [None, "file is empty", "file not found", None]
    assert [len(prediction.scores) for prediction in predictions] == [3, 0, 0, 3]
    assert set(predictor.class_names) >= {label for label, _ in predictions[0].scores}


def test_the_same_video_gives_the_same_scores_whatever_decodes_it(last, motion):
    path = str(next(motion.glob("val/contract/*.mp4")))
    scores = []
    for decoder, workers in (("auto", 0), ("pyav", 0), ("pyav", 1)):
        predictor = Predictor(last, decoder=decoder, device="cpu")
        scores.append(dict(next(predictor.predict([path], top_k=8, workers=workers)).scores))
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[1] == pytest.approx(scores[2], abs=1e-6)


@pytest.mark.parametrize("crops", [None, "three_crop"])
def test_the_scores_are_those_of_a_test(last, motion, crops, shown):
    """The task that testing runs, loaded by Lightning, gives the same probabilities for the same views."""
    path = str(next(motion.glob("val/contract/*.mp4")))
    predictor = Predictor(last, num_clips=3, crops=crops, device="cpu", precision="32", time_limit=0)
    found = dict(next(predictor.predict(path, top_k=8)).scores)
    assert len(shown[0].clips) == 3
    assert [type(crop) for crop in shown[0].crops] == [Crop] * (3 if crops else 1)
    task = VideoClassifier.load_from_checkpoint(last, map_location="cpu").eval()
    with torch.inference_mode():
        wanted = task.clip_probabilities(shown[0]).mean(dim=0).tolist()
    assert [found[name] for name in task.class_names] == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("kind", [str, Path])
def test_one_path_is_one_video(last, motion, kind):
    path = kind(next(motion.glob("val/contract/*.mp4")))
    predictions = list(Predictor(last, num_clips=1, device="cpu").predict(path))
    assert [prediction.path for prediction in predictions] == [str(path)]
    assert predictions[0].error is None


@pytest.mark.parametrize("part", ["frames=10,30", "t=0.32,0.98"])
def test_a_part_of_a_video(last, motion, tmp_path, part, shown):
    """Frames 10 to 29 of 32, at 30 a second; a file of that very name is a whole video."""
    path = str(next(motion.glob("val/contract/*.mp4")))
    literal = shutil.copy(path, tmp_path / f"a.mp4#{part}")
    predictor = Predictor(last, num_clips=2, protocol="endpoint", device="cpu", time_limit=0)
    names = [f"{path}#{part}", path, str(literal)]
    found = list(predictor.predict(names))
    assert [prediction.path for prediction in found] == names
    assert [prediction.error for prediction in found] == [None] * 3
    assert [sample.num_frames for sample in shown] == [20, 32, 32]
    assert shown[0].starts == (10, 30 - 4 * 2)  # the last clip of four frames at interval 2 ends with the part
    assert found[0].scores != found[1].scores == found[2].scores


def test_a_part_that_is_wrong_fails_among_others(last, motion):
    path = str(next(motion.glob("val/contract/*.mp4")))
    names = [f"{path}#t=2,1", f"{path}#t=90,95", path]
    found = list(Predictor(last, num_clips=1, device="cpu", time_limit=0).predict(names))
    assert [prediction.path for prediction in found] == names
    assert found[0].error == "a part from 2 to 1; its end must come after its start"
    assert found[1].error.startswith("the segment holds no frame: the video lasts 1.07 s")
    assert found[2].error is None


def test_predictions_are_made_when_they_are_asked_for(last, tmp_path):
    """Paths may come from any iterable; a million of them are not decoded ahead."""
    predictor = Predictor(last, num_clips=1, device="cpu", time_limit=0)
    found = predictor.predict(str(tmp_path / f"{number}.mp4") for number in range(100_000))
    first = list(itertools.islice(found, 3))
    assert [Path(prediction.path).name for prediction in first] == ["0.mp4", "1.mp4", "2.mp4"]


def test_arguments_are_checked_at_once(last):
    predictor = Predictor(last, device="cpu", time_limit=0)
    with pytest.raises(ValueError, match="top_k must be > 0, got 0"):
        predictor.predict("a.mp4", top_k=0)
    for wrong, message in [
        ({"num_clips": 0}, "num_clips must be > 0, got 0"),
        ({"protocol": "slowfst"}, "protocol must be one of .*did you mean 'slowfast'"),
        ({"crops": "centre"}, "crops must be one of .*did you mean 'center'"),
        ({"time_limit": -1.0}, "time_limit must be >= 0, got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            Predictor(last, device="cpu", **wrong)


def test_a_loaded_network_needs_nothing_else(last, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net, about = load_network(last)
    assert not net.training
    assert (about["clip_length"], about["interval"], about["norm"]) == (4, 2, "gn")
    assert len(about["class_names"]) == 8


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged: it is empty"),
        (b"text", "not a checkpoint"),
        (b"PK\x03\x04 half a zip file", "damaged: its end is missing"),
    ],
)
def test_not_a_checkpoint(tmp_path, content, reason):
    (tmp_path / "bad.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=rf"bad\.ckpt is {reason}"):
        Predictor(tmp_path / "bad.ckpt")


@pytest.mark.parametrize(
    "content",
    [
        [1, 2],
        {"state_dict": {"weight": torch.zeros(2)}},
        {"hyper_parameters": {"arch": "i3d_tiny"}},
        {"state_dict": {}, "hyper_parameters": None},
        {"state_dict": {}, "hyper_parameters": {"lr": 0.1}},
    ],
)
def test_weights_alone_say_nothing_about_the_network(tmp_path, content):
    torch.save(content, tmp_path / "weights.ckpt")
    with pytest.raises(ValueError, match=r"weights\.ckpt is not a checkpoint of .* says nothing about the network"):
        Predictor(tmp_path / "weights.ckpt")


def _changed(last, path, **changes):
    content = torch.load(last, weights_only=True)
    content["hyper_parameters"] |= changes
    torch.save(content, path)
    return path


@pytest.mark.parametrize("name", ["arch", "norm"])
@pytest.mark.parametrize("value", [torch._utils._rebuild_tensor_v2, 5, None, ["gn"]])
def test_names_that_are_no_text_are_never_called(last, tmp_path, name, value):
    """torch.load allows a few functions even where it reads plain values only."""
    path = _changed(last, tmp_path / "odd.ckpt", **{name: value})
    with pytest.raises(
        ValueError, match=rf"odd\.ckpt is not a checkpoint of `videogn fit`: {name} must be a name, such"
    ):
        Predictor(path)


def test_weights_of_another_network(last, tmp_path):
    other = _changed(last, tmp_path / "other.ckpt", arch_options={"width": 4})
    with pytest.raises(
        ValueError, match=r"other\.ckpt: blocks.* is float32 .* the network that it names it is float32"
    ):
        Predictor(other)


def test_code_from_outside_is_imported_only_when_it_is_trusted(last, tmp_path, outside):
    path = _changed(last, tmp_path / "own.ckpt", norm="own_norms.rms_group_norm", norm_options={"groups": 2})
    assert read_fit_checkpoint(path, trust=["own_norms"])["hyper_parameters"]["norm"] == "own_norms.rms_group_norm"
    assert "own_norms" not in sys.modules
    with pytest.raises(ValueError, match=r"own\.ckpt names own_norms\.rms_group_norm, .* add --trust own_norms$"):
        Predictor(path)
    assert "own_norms" not in sys.modules
    with pytest.raises(ValueError, match="add --trust own_norms"):
        VideoClassifier.load_from_checkpoint(path)
    assert "own_norms" not in sys.modules
    # GroupNorm's weights have the names and shapes of those of this norm's.
    net = Predictor(path, device="cpu", trust=["own_norms"])._net
    assert any(type(layer).__name__ == "RMSGroupNorm" for layer in net.modules())


def test_no_checkpoint(tmp_path):
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(FileNotFoundError, match=r"did you mean .*last\.ckpt"):
        Predictor(tmp_path / "lst.ckpt")


def test_the_example_of_the_docstring(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(predictor)
    assert (failed, tried) == (0, 10)
