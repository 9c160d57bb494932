"""Mean-class accuracy in validation and in test results, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from videogn.evaluation.class_accuracy import mean_class_accuracy
from videogn.evaluation.results import VideoResult, summarise
from videogn.training.mean_class_accuracy import MeanClassAccuracy


@pytest.mark.parametrize("seed", [0, 1])
def test_validation_and_results_agree_with_scikit_learn(seed):
    """Class 4 has no video, and is guessed all the same."""
    balanced_accuracy_score = pytest.importorskip("sklearn.metrics").balanced_accuracy_score
    rng = np.random.default_rng(seed)
    labels, scores = rng.choice(4, 60, p=[0.6, 0.25, 0.1, 0.05]), rng.random((60, 5))
    best = scores.argmax(axis=1)
    assert (best == 4).any()
    with pytest.warns(UserWarning, match="y_pred contains classes"):
        expected = balanced_accuracy_score(labels, best)
    metric = MeanClassAccuracy(5)
    for part in np.array_split(np.arange(60), 7):
        metric.update(torch.from_numpy(scores[part]), torch.from_numpy(labels[part]))
    assert metric.compute().item() == pytest.approx(expected)
    results = [
        VideoResult(place, f"{place}.mp4", int(label), top=((int(guess), 1.0),))
        for place, (label, guess) in enumerate(zip(labels, best, strict=True))
    ]
    summary = summarise(results, expected=60, num_classes=5)
    assert summary["over_all"]["mean_class_accuracy"] == pytest.approx(expected)


def test_a_failed_video_is_wrong_over_all_and_left_out_over_decodable():
    results = [
        VideoResult(0, "a", 0, top=((0, 1.0),)),
        VideoResult(1, "b", 1, top=((1, 1.0),)),
        VideoResult(2, "c", 1, error="missing", decoded=False),
    ]
    summary = summarise(results, expected=3, num_classes=2)
    assert summary["over_all"]["mean_class_accuracy"] == (1 + 1 / 2) / 2
    assert summary["over_decodable"]["mean_class_accuracy"] == 1


def test_without_videos_there_is_none():
    assert mean_class_accuracy([0, 0], [0, 0]) is None
    with pytest.warns(UserWarning, match="compute"):
        assert MeanClassAccuracy(2).compute().isnan()
