"""Calibration and confusions against scikit-learn and loops over the definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from videogn.axes import Sample
from videogn.evaluation import VideoResult, score_video
from videogn.evaluation.calibration import BINS, brier_score, calibration
from videogn.evaluation.confusion import confused_order, confusion_matrix, most_confused
from videogn.evaluation.results import calibrated


def _scored(videos, classes, seed):
    rng = np.random.default_rng(seed)
    logits = 2 * rng.normal(size=(videos, classes))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return probabilities, rng.integers(0, classes, videos)


@pytest.mark.parametrize(("videos", "classes"), [(1, 2), (40, 3), (500, 12)])
def test_against_scikit_learn(videos, classes):
    metrics = pytest.importorskip("sklearn.metrics")
    probabilities, labels = _scored(videos, classes, seed=classes)
    of_label = probabilities[np.arange(videos), labels]
    right = probabilities.argmax(axis=1) == labels
    found = calibration(probabilities.max(axis=1), right, of_label, brier_score(probabilities, labels))
    assert found["nll"] == pytest.approx(metrics.log_loss(labels, probabilities, labels=range(classes)), rel=1e-12)
    one_hot = np.eye(classes)[labels]
    assert found["brier"] == pytest.approx(((probabilities - one_hot) ** 2).sum(axis=1).mean(), rel=1e-12)
    if classes > 2 and videos > 1:
        assert found["brier"] == pytest.approx(
            metrics.brier_score_loss(labels, probabilities, labels=range(classes), scale_by_half=False), rel=1e-12
        )
    counts = confusion_matrix(labels, probabilities.argmax(axis=1), classes)
    assert (counts == metrics.confusion_matrix(labels, probabilities.argmax(axis=1), labels=range(classes))).all()


def test_the_calibration_error_by_its_definition():
    probabilities, labels = _scored(300, 5, seed=3)
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    error, seen = 0.0, 0
    found = calibration(confidence, right)
    for number in range(BINS):
        inside = (confidence > number / BINS) & (confidence <= (number + 1) / BINS)
        if inside.any():
            error += inside.sum() / 300 * abs(right[inside].mean() - confidence[inside].mean())
            assert found["bins"][seen]["videos"] == inside.sum()
            assert found["bins"][seen]["top1"] == pytest.approx(right[inside].mean())
            seen += 1
    assert len(found["bins"]) == seen
    assert found["ece"] == pytest.approx(error, rel=1e-12)
    assert (found["nll"], found["brier"]) == (None, None)


def test_nothing_and_certainty():
    empty = np.zeros(0)
    nothing = {"videos": 0, "ece": None, "nll": None, "brier": None, "bins": []}
    assert calibration(empty, empty.astype(bool), empty, empty) == nothing
    certain = calibration(np.ones(2), np.array([True, False]), np.array([1.0, 0.0]), np.array([0.0, 2.0]))
    assert certain["bins"] == [{"above": 14 / 15, "up_to": 1.0, "videos": 2, "confidence": 1.0, "top1": 0.5}]
    assert np.isfinite(certain["nll"])


def test_of_the_results_of_a_test():
    clips = torch.tensor([[[0.5, 0.3, 0.2], [0.7, 0.1, 0.2]], [[0.2, 0.2, 0.6], [0.4, 0.0, 0.6]]])
    results = [score_video(Sample(n, f"{n}.mp4", label), one) for n, (label, one) in enumerate(zip((0, 1), clips))]  # noqa: B905
    several = score_video(Sample(2, "2.mp4", -1, labels=(0, 2)), clips[0])
    unlabelled = score_video(Sample(3, "3.mp4", -1), clips[0])
    found = calibrated([*results, several, unlabelled, VideoResult(4, "4.mp4", 1, error="missing", decoded=False)])
    assert found["videos"] == 2
    assert found["nll"] == pytest.approx(-(np.log(0.6) + np.log(0.1)) / 2, rel=1e-6)
    # 0.4² + 0.2² + 0.2², and 0.3² + 0.9² + 0.6²
    assert found["brier"] == pytest.approx((0.24 + 1.26) / 2, rel=1e-6)


def test_confused_classes_stand_together():
    # Two families of classes, scattered: the even ones are taken for one another, and so are the odd ones.
    classes = 12
    counts = 50 * np.eye(classes, dtype=int)
    for one in range(classes):
        for other in range(classes):
            counts[one, other] += 5 * (one != other and one % 2 == other % 2)
    order = confused_order(counts)
    assert sorted(order) == list(range(classes))
    assert len({number % 2 for number in order[: classes // 2]}) == 1
    assert confused_order(np.zeros((1, 1), int)).tolist() == [0]
    assert sorted(confused_order(np.zeros((5, 5), int))) == [0, 1, 2, 3, 4]


def test_the_most_confused():
    counts = np.array([[8, 2, 0], [1, 1, 2], [0, 0, 0]])
    found = most_confused(counts, 2)
    assert [(pair.true, pair.predicted, pair.videos, pair.share) for pair in found] == [(1, 2, 2, 0.5), (0, 1, 2, 0.2)]
    assert len(most_confused(counts, 9)) == 3
