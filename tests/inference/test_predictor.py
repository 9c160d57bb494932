"""The Predictor from Python."""

from __future__ import annotations

import pytest
import torch

from videogn.inference.predictor import Predictor, load_task


def test_it_predicts_in_order_and_survives_bad_files(trained, motion, tmp_path):
    (tmp_path / "empty.mp4").touch()
    good = sorted(str(path) for path in motion.glob("val/expand/*.mp4"))
    paths = [good[0], str(tmp_path / "empty.mp4"), str(tmp_path / "nowhere.mp4"), good[1]]
    predictor = Predictor(trained / "checkpoints" / "last.ckpt", num_clips=2, device="cpu")
    predictions = list(predictor.predict(paths, top_k=3))
    assert [prediction.path for prediction in predictions] == paths
    assert [prediction.error for prediction in predictions] == [None, "file is empty", "file not found", None]
    assert [len(prediction.scores) for prediction in predictions] == [3, 0, 0, 3]
    assert set(predictor.class_names) >= {label for label, _ in predictions[0].scores}


def test_the_same_video_gives_the_same_scores_whatever_decodes_it(trained, motion):
    path = str(next(motion.glob("val/contract/*.mp4")))
    scores = []
    for decoder, workers in (("auto", 0), ("pyav", 0), ("pyav", 1)):
        predictor = Predictor(trained / "checkpoints" / "last.ckpt", decoder=decoder, device="cpu")
        scores.append(dict(next(iter(predictor.predict([path], top_k=8, workers=workers))).scores))
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert scores[1] == pytest.approx(scores[2], abs=1e-6)


def test_a_loaded_task_needs_nothing_else(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    task = load_task(trained / "checkpoints" / "last.ckpt")
    assert (task.hparams["clip_length"], task.hparams["interval"], task.hparams["norm"]) == (4, 2, "gn")
    assert len(task.class_names) == 8


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 half a zip file"])
def test_not_a_checkpoint(tmp_path, content):
    (tmp_path / "bad.ckpt").write_bytes(content)
    with pytest.raises(ValueError, match=r"bad\.ckpt is not a checkpoint"):
        Predictor(tmp_path / "bad.ckpt")


def test_weights_alone_say_nothing_about_the_network(tmp_path):
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, tmp_path / "weights.ckpt")
    with pytest.raises(ValueError, match="says nothing about the network"):
        Predictor(tmp_path / "weights.ckpt")


def test_no_checkpoint(tmp_path):
    (tmp_path / "last.ckpt").touch()
    with pytest.raises(FileNotFoundError, match=r"did you mean .*last\.ckpt"):
        Predictor(tmp_path / "lst.ckpt")
