"""Average precision and its mean, against scikit-learn and torchmetrics."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from videogn.axes import Sample
from videogn.evaluation import ResultCollection, VideoResult, clip_probabilities, score_video, write_results
from videogn.evaluation.average_precision import average_precision
from videogn.training.mean_average_precision import MeanAveragePrecision

CLASSES = ["a", "b", "c", "d"]


@pytest.mark.parametrize("decimals", [8, 1])  # with ties
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_is_scikit_learns(seed, decimals):
    reference = pytest.importorskip("sklearn.metrics").average_precision_score
    rng = np.random.default_rng(seed)
    scores, shown = rng.random(50).round(decimals), rng.random(50) < 0.3
    expected = reference(shown, scores)
    assert average_precision(scores, shown, int(shown.sum())) == pytest.approx(expected, rel=1e-12)
    # Videos that could not be scored are never found.
    assert average_precision(scores, shown, 2 * int(shown.sum())) == pytest.approx(expected / 2, rel=1e-12)


def test_a_class_that_no_video_shows_has_none():
    assert average_precision(np.array([0.5]), np.array([False]), 0) is None
    assert average_precision(np.array([]), np.array([], bool), 3) == 0


def test_probabilities_are_sigmoids_averaged_over_positions():
    logits = torch.randn(2, 4, 1, 2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    got = clip_probabilities(logits, several_labels=True)
    for view, row in zip(logits, got, strict=True):
        expected = [np.mean([1 / (1 + np.exp(-value)) for value in of_class.flatten().tolist()]) for of_class in view]
        np.testing.assert_allclose(row, expected, rtol=1e-12)


def test_results_of_a_test(tmp_path):
    """Validation's metric agrees with the results, and a failed video counts over all and not over decodable ones."""
    reference = pytest.importorskip("torchmetrics.classification").MultilabelAveragePrecision
    rng = np.random.default_rng(3)
    scores, shown = rng.random((20, 4)).astype(np.float32), rng.random((20, 4)) < 0.4
    shown[:, 3] = False
    results, metric = ResultCollection(), MeanAveragePrecision()
    for place in range(20):
        labels = tuple(np.flatnonzero(shown[place]).tolist())
        clips = torch.from_numpy(scores[place : place + 1])
        results.add(score_video(Sample(place, f"{place}.mp4", -1, starts=(0,), labels=labels), clips))
    for part in (slice(0, 7), slice(7, 20)):
        metric.update(torch.from_numpy(scores[part]), torch.from_numpy(shown[part]).long())
    results.add(VideoResult(20, "20.mp4", -1, labels=(0, 1), error="missing", decoded=False))
    summary = write_results(tmp_path, results, classes=CLASSES, expected=21, about={}, several_labels=True)
    assert summary["over_decodable"]["map"] == pytest.approx(metric.compute().item(), rel=1e-6)
    others = reference(3, average=None)(torch.from_numpy(scores[:, :3]), torch.from_numpy(shown[:, :3]).long())
    assert summary["over_decodable"]["map"] == pytest.approx(others.mean().item(), rel=1e-5)
    counts = shown.sum(axis=0)
    per_class = [row["average_precision"] for row in summary["per_class"]]
    over_all = [ap * n / (n + failed) for ap, n, failed in zip(per_class[:3], counts, (1, 1, 0), strict=False)]
    assert summary["over_all"]["map"] == pytest.approx(np.mean(over_all))
    assert (summary["over_all"]["videos"], summary["over_decodable"]["videos"]) == (21, 20)
    assert summary["over_all"]["top1"] is None
    assert per_class[3] is None
    assert json.loads((tmp_path / "results.json").read_text()) == summary
    first = (tmp_path / "predictions.csv").read_text().splitlines()[1]
    assert f'"{";".join(CLASSES[k] for k in np.flatnonzero(shown[0]))}"' in first
