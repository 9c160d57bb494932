"""The order of averaging: softmax, then positions, then clips; against loops over the definition."""

from __future__ import annotations

import math

import pytest
import torch

from videogn.evaluation.views import clip_probabilities, score_views, video_probabilities


def _reference(logits):
    """(V, K, T', H', W') -> K floats, in Python floats."""
    views, classes = logits.shape[:2]
    positions = logits.double().flatten(2).tolist()
    video = [0.0] * classes
    for view in positions:
        clip = [0.0] * classes
        for p in range(len(view[0])):
            column = [view[k][p] for k in range(classes)]
            top = max(column)
            powers = [math.exp(value - top) for value in column]
            for k in range(classes):
                clip[k] += powers[k] / sum(powers) / len(view[0])
        for k in range(classes):
            video[k] += clip[k] / views
    return video


@pytest.mark.parametrize("shape", [(1, 3, 1, 1, 1), (10, 7, 1, 2, 3), (3, 2, 4, 1, 5), (30, 400, 1, 2, 2)])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_against_a_loop_in_float64(shape, scale):
    logits = torch.randn(shape) * scale
    clips = clip_probabilities(logits)
    assert clips.shape == shape[:2]
    assert clips.dtype == torch.float32
    torch.testing.assert_close(clips.sum(1), torch.ones(shape[0]))
    wanted = torch.tensor(_reference(logits), dtype=torch.float64)
    torch.testing.assert_close(video_probabilities(clips).double(), wanted, rtol=1e-5, atol=1e-6)


def test_an_order_that_matters():
    """Two clips of two positions, three classes: one very sure position decides the mean of logits, not ours.

    Clip 1: position 1 is sure of class 0 (logit 30), position 2 prefers class 1 (3 to 0). Clip 2: both prefer class 1.
    """
    logits = torch.zeros(2, 3, 1, 1, 2, dtype=torch.float64)
    logits[0, 0, 0, 0, 0] = 30
    logits[0, 1, 0, 0, 1] = 3
    logits[1, 1] = 3
    ours = video_probabilities(clip_probabilities(logits))
    soft = math.exp(3) / (math.exp(3) + 2)  # of class 1 where it is preferred
    assert ours[0] == pytest.approx((0.5 + 0.5 * (1 - soft) / 2 + (1 - soft) / 2) / 2)
    assert ours[1] == pytest.approx((0.5 * soft + soft) / 2)
    assert ours.argmax() == 1
    mean_logits_over_positions = logits.flatten(2).mean(2).softmax(1).mean(0)
    mean_logits_over_all = logits.flatten(2).mean(2).mean(0).softmax(0)
    assert mean_logits_over_all.argmax() == 0
    assert not torch.allclose(mean_logits_over_positions, ours, atol=0.01)


def test_positions_before_clips_only_weighs_every_clip_alike():
    """Softmax after averaging positions would give class 0 here; the softmax of every position gives class 1."""
    logits = torch.zeros(1, 2, 1, 1, 3, dtype=torch.float64)
    logits[0, 0, 0, 0] = torch.tensor([10.0, 0.0, 0.0])
    logits[0, 1, 0, 0] = torch.tensor([0.0, 2.0, 2.0])
    ours = video_probabilities(clip_probabilities(logits))
    assert ours.argmax() == 1
    assert logits.flatten(2).mean(2).softmax(1)[0].argmax() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_are_widened_first(dtype):
    """400 classes: in half precision the probabilities would be off by far more."""
    logits = torch.randn(10, 400, 1, 2, 2).to(dtype)
    clips = clip_probabilities(logits)
    assert clips.dtype == torch.float32
    wanted = torch.tensor(_reference(logits), dtype=torch.float64)
    torch.testing.assert_close(video_probabilities(clips).double(), wanted, rtol=1e-5, atol=1e-7)


def test_float64_stays_float64():
    assert clip_probabilities(torch.randn(2, 3, 1, 1, 1, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", [(0, 0, 0, 0, 0), (1, 2, 0, 1, 1)])
def test_logits_that_are_not_finite(bad, where):
    logits = torch.zeros(2, 3, 1, 2, 2)
    logits[where] = bad
    with pytest.raises(ValueError, match="not finite"):
        clip_probabilities(logits)


def test_huge_logits_do_not_overflow():
    clips = clip_probabilities(torch.tensor([[[[[1e30]]], [[[0.0]]]]]))
    assert clips.tolist() == [[1.0, 0.0]]


@pytest.mark.parametrize("chunk", [1, 4, 6])
def test_views_in_chunks_are_averaged_over_the_crops_of_each_clip(chunk):
    """Two clips of three crops."""
    logits = torch.randn(6, 5, 1, 2, 2)
    clips = score_views(lambda numbers: logits[numbers], torch.arange(6).split(chunk), num_crops=3)
    for clip in range(2):
        wanted = torch.tensor(_reference(logits[3 * clip : 3 * clip + 3]), dtype=torch.float64)
        torch.testing.assert_close(clips[clip].double(), wanted, rtol=1e-5, atol=1e-6)
