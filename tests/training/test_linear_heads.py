"""Linear classifiers against scikit-learn's, and against a loop in float64; the folding of the standardisation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from videogn.models import make_model
from videogn.training.linear_heads import Clips, Standardisation, Trial, best_of, evaluate_heads, train_heads
from videogn.training.written_network import with_classifier

CLASSES = 3


@pytest.fixture(scope="module")
def clips() -> Clips:
    """Three overlapping classes of 12 features, of unlike scales and shifts; 3 clips a video."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, 40)
    centres = rng.normal(size=(CLASSES, 12))
    values = centres[labels].repeat(3, 0) + 2 * rng.normal(size=(120, 12))
    values = values * 10.0 ** rng.integers(-3, 4, 12) + 5
    videos = torch.arange(40).repeat_interleave(3)
    return Clips(torch.tensor(values, dtype=torch.float32), torch.tensor(labels).repeat_interleave(3), videos)


@pytest.fixture(scope="module")
def standardised(clips) -> Clips:
    return Clips(Standardisation.of(clips.features)(clips.features), clips.labels, clips.videos)


@pytest.mark.parametrize("decay", [0.1, 0.01])
def test_it_finds_what_logistic_regression_finds(standardised, decay):
    """scikit-learn minimises the sum of the losses plus |W|^2 / (2 C), by L-BFGS."""
    linear_model = pytest.importorskip("sklearn.linear_model")
    features, labels = standardised.features.numpy(), standardised.labels.numpy()
    expected = linear_model.LogisticRegression(C=1 / (decay * len(labels)), tol=1e-8, max_iter=10_000)
    expected.fit(features.astype(np.float64), labels)
    ((*_, weight, bias),) = train_heads(standardised, CLASSES, [10.0], [decay], epochs=400)
    torch.testing.assert_close(weight.double(), torch.tensor(expected.coef_), rtol=1e-3, atol=1e-3)
    # The biases are known up to a constant, which no decay holds.
    torch.testing.assert_close((bias - bias.mean()).double(), torch.tensor(expected.intercept_), rtol=1e-3, atol=1e-3)


def test_each_is_trained_as_if_alone_by_sgd_with_momentum(standardised):
    """A loop over the definition, in float64: gradients of the softmax by hand, Nesterov's momentum, half a cosine."""
    epochs, size = 3, 50
    heads = train_heads(standardised, CLASSES, [0.5, 8.0], [0.0, 0.1], epochs=epochs, batch_size=size, seed=3)
    assert [head[:2] for head in heads] == [(0.5, 0.0), (0.5, 0.1), (8.0, 0.0), (8.0, 0.1)]
    x, labels = standardised.features.double().numpy(), standardised.labels.numpy()
    for rate, decay, weight, bias in heads:
        order = torch.Generator().manual_seed(3)
        w, v = np.zeros((CLASSES, 13)), np.zeros((CLASSES, 13))
        step, steps = 0, epochs * math.ceil(len(x) / size)
        for _ in range(epochs):
            for rows in torch.randperm(len(x), generator=order).split(size):
                inputs = np.concatenate([x[rows], np.ones((len(rows), 1))], 1)
                scores = np.exp(inputs @ w.T)
                error = scores / scores.sum(1, keepdims=True) - np.eye(CLASSES)[labels[rows]]
                gradient = error.T @ inputs / len(rows)
                gradient[:, :-1] += decay * w[:, :-1]
                v = 0.9 * v + gradient
                w -= rate * 0.5 * (1 + math.cos(math.pi * step / steps)) * (gradient + 0.9 * v)
                step += 1
        torch.testing.assert_close(weight.double(), torch.tensor(w[:, :-1]), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(bias.double(), torch.tensor(w[:, -1]), rtol=1e-4, atol=1e-5)


def test_the_standardisation_is_folded_exactly(clips):
    standardisation = Standardisation.of(clips.features)
    weight, bias = torch.randn(CLASSES, 12), torch.randn(CLASSES)
    x = clips.features.double()
    z = (x - x.mean(0)) / x.std(0, correction=0) / math.sqrt(12)
    folded = F.linear(x, *standardisation.folded(weight, bias))
    torch.testing.assert_close(folded, F.linear(z, weight.double(), bias.double()), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(standardisation(clips.features), z.float())


def test_features_that_do_not_vary_count_for_nothing():
    features = torch.tensor([[0.1, 1.0], [0.1, 3.0], [0.1, 5.0]])
    standardised = Standardisation.of(features)(features)
    assert standardised[:, 0].abs().max() < 1e-6
    assert standardised[:, 1].tolist() == pytest.approx([-math.sqrt(0.75), 0, math.sqrt(0.75)])


def test_videos_are_scored_by_the_mean_of_their_clips_probabilities(standardised):
    weight, bias = torch.randn(CLASSES, 12) * 5, torch.randn(CLASSES)
    (trial,) = evaluate_heads([(1.0, 0.0, weight, bias)], standardised)
    right, losses = 0, []
    for video in range(40):
        rows = [row for row in range(120) if int(standardised.videos[row]) == video]
        scores = [(weight.double() @ standardised.features[row].double() + bias).softmax(0) for row in rows]
        mean, label = sum(scores) / len(scores), int(standardised.labels[rows[0]])
        right += int(mean.argmax()) == label
        losses.append(-math.log(mean[label]))
    assert trial.top1 == pytest.approx(right / 40)
    assert trial.loss == pytest.approx(sum(losses) / 40, rel=1e-5)


def _trial(top1, loss, lr=1.0):
    return Trial(lr, 0.0, top1, loss, torch.zeros(1), torch.zeros(1))


def test_the_best_has_the_highest_top1_and_of_equal_ones_the_lower_loss():
    trials = [_trial(0.5, 0.1), _trial(0.9, 0.7), _trial(0.9, 0.6), _trial(0.9, 0.6, lr=2.0), _trial(1.0, math.nan)]
    assert best_of(trials) is trials[2]
    with pytest.raises(FloatingPointError, match="at learning rates 3, 5: try lower ones"):
        best_of([_trial(0.1, math.nan, lr=3.0), _trial(0.1, math.nan, lr=5.0)])


@pytest.mark.parametrize(("arch", "norm"), [("i3d_tiny", "bn"), ("own_nets.positions_net", "in")])
def test_a_network_with_the_new_classifier_is_the_old_one_before_it(outside, arch, norm):
    before = make_model(arch, 4, norm)
    classifier = [module for module in before.modules() if list(module.parameters(recurse=False))][-1]
    weight, bias = torch.randn(2, classifier.weight.shape[1]), torch.randn(2)
    about = {"arch": arch, "norm": norm, "class_names": list("abcd"), "mean": (0.5,) * 3, "std": (0.2,) * 3,
             "clip_length": 4, "crop_size": 32, "short_side": 32, "class_weights": {"a": 2.0}}  # fmt: skip
    task = with_classifier(before, about, ["x", "y"], weight.double(), bias.double())
    assert task.hparams["class_names"] == ["x", "y"]
    seen = []
    axis = -1 if classifier.weight.ndim == 2 else 1
    classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].movedim(axis, -1)))
    x = torch.randn(1, 3, 4, 32, 32)
    before.eval()(x)
    expected = F.linear(seen[0].reshape(-1, weight.shape[1]), weight, bias)  # (positions, K)
    torch.testing.assert_close(task.eval()(x).flatten(2)[0].T, expected, rtol=1e-4, atol=1e-5)
