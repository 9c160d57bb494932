"""The loss against loops over its definition, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from videogn.training.objective import (
    Objective,
    ObjectiveSettings,
    SeveralLabelsObjective,
    balanced_weights,
    make_objective,
    weights_by_class,
)

CLASSES = ["a", "b", "c", "d"]
POSITIONS = (2, 1, 3)
WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.25])


def _logits(dtype=torch.float64):
    return torch.randn(3, 4, *POSITIONS, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 3


def _targets(kind):
    if kind == "numbers":
        return torch.tensor([1, 3, 1])
    return torch.tensor([[0.7, 0.3, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0], [0.25, 0.25, 0.25, 0.25]], dtype=torch.float64)


def _loop(logits, targets, smoothing, weights, gamma):
    """Position by position: targets spread by `smoothing`, each term of a class times its weight and (1 - p)^gamma."""
    by_number = targets.ndim == 1
    total, count = 0.0, 0.0
    for clip in range(len(logits)):
        wanted = [float(k == targets[clip]) for k in range(4)] if by_number else targets[clip].tolist()
        for t, h, w in np.ndindex(*POSITIONS):
            row = [math.exp(value) for value in logits[clip, :, t, h, w].tolist()]
            for k, power in enumerate(row):
                share = wanted[k] * (1 - smoothing) + smoothing / 4
                p = power / sum(row)
                total -= weights[k] * share * (1 - p) ** gamma * math.log(p)
            count += weights[int(targets[clip])] if by_number else 1
    return total / count


@pytest.mark.parametrize("kind", ["numbers", "soft"])
@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0, 0.5, 2])
def test_every_combination_is_its_definition(kind, smoothing, weights, gamma):
    logits, targets = _logits(), _targets(kind)
    objective = Objective(label_smoothing=smoothing, class_weights=weights, focal_gamma=gamma)
    expected = _loop(logits, targets, smoothing, (weights if weights is not None else torch.ones(4)).tolist(), gamma)
    assert objective(logits, targets).item() == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_options_it_is_the_cross_entropy_to_the_bit(dtype):
    logits, labels = _logits(dtype), _targets("numbers")
    expected = F.cross_entropy(logits.float(), labels[:, None, None, None].expand(-1, *POSITIONS))
    got = Objective()(logits, labels)
    assert got.dtype == torch.float32
    assert got.item() == expected.item()


def test_smoothed_numbers_and_smoothed_targets_are_the_same():
    logits, labels = _logits(), _targets("numbers")
    smoothed = F.one_hot(labels, 4).double() * 0.8 + 0.2 / 4
    assert Objective(label_smoothing=0.2)(logits, labels).item() == pytest.approx(Objective()(logits, smoothed).item())


def test_focal_gradients_are_finite_where_a_video_is_certain():
    logits = torch.tensor([[200.0, 0.0], [-200.0, 0.0]])[:, :, None, None, None].requires_grad_()
    Objective(focal_gamma=0.5)(logits, torch.tensor([0, 0])).backward()
    assert torch.isfinite(logits.grad).all()


def test_balanced_weights_are_those_of_scikit_learn():
    compute = pytest.importorskip("sklearn.utils.class_weight").compute_class_weight
    counts = np.array([1, 0, 7, 30])
    labels = np.repeat(np.arange(4), counts)
    expected = compute("balanced", classes=np.array([0, 2, 3]), y=labels)
    got = balanced_weights(counts)
    np.testing.assert_allclose(got[[0, 2, 3]], expected, rtol=1e-6)
    assert got[1] == 0
    assert (got.numpy() * counts).sum() / counts.sum() == pytest.approx(1)


def test_weights_by_name():
    assert weights_by_class({"c": 3, "a": 0}, CLASSES).tolist() == [0, 1, 3, 1]
    assert (
        make_objective(Objective, ObjectiveSettings(class_weights=[1, 2, 3, 4.5]), CLASSES).class_weights.tolist()[3]
        == 4.5
    )
    assert make_objective(Objective, ObjectiveSettings(), CLASSES).class_weights is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], "class_weights must be one number for each of the 4 classes, got 2"),
        ([1, 2, 3, -1], "class_weights must be numbers >= 0 and not all 0"),
        ([0, 0, 0, 0], "not all 0"),
        ([1, 2, 3, math.nan], "must be numbers >= 0"),
        ({"e": 1}, "class_weights names 'e', which is no class; the classes are a, b, c, d"),
    ],
)
def test_wrong_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        weights_by_class(weights, CLASSES)


@pytest.mark.parametrize(
    ("text", "weights"), [("a: 2\n3: 0.5\n", {"a": 2.0, "3": 0.5}), ("[1, 2, 3, 4]", [1.0, 2.0, 3.0, 4.0])]
)
def test_weights_in_a_file_become_part_of_the_settings(tmp_path, text, weights):
    file = tmp_path / "weights.yaml"
    file.write_text(text)
    assert ObjectiveSettings(class_weights=str(file)).class_weights == weights
    file.write_text("just words")
    with pytest.raises(ValueError, match="must hold a YAML list of numbers, or lines such as"):
        ObjectiveSettings(class_weights=str(file))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"class_weights": "balance"}, "class_weights must be balanced, numbers, a mapping"),
        ({"label_smoothing": 1.0}, r"label_smoothing must be in \[0, 1\), got 1.0"),
        ({"label_smoothing": -0.1}, "label_smoothing"),
        ({"focal_gamma": -1}, "focal_gamma must be a number >= 0, got -1"),
        ({"focal_gamma": math.nan}, "focal_gamma"),
    ],
)
def test_wrong_numbers(options, message):
    with pytest.raises(ValueError, match=message):
        ObjectiveSettings(**options)


@pytest.mark.parametrize("smoothing", [0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
@pytest.mark.parametrize("gamma", [0, 2])
def test_the_loss_of_several_labels_is_its_definition(smoothing, weights, gamma):
    logits, targets = _logits(), torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]])
    objective = SeveralLabelsObjective(label_smoothing=smoothing, class_weights=weights, focal_gamma=gamma)
    terms = []
    for clip, k, *position in np.ndindex(*logits.shape):
        p = 1 / (1 + math.exp(-logits[(clip, k, *position)].item()))
        wanted = targets[clip, k].item() * (1 - smoothing) + smoothing / 2
        weight = 1 if weights is None else weights[k].item()
        terms.append(-weight * wanted * (1 - p) ** gamma * math.log(p))
        terms[-1] -= (1 - wanted) * p**gamma * math.log(1 - p)
    assert objective(logits, targets).item() == pytest.approx(np.mean(terms), rel=1e-10)


def test_the_focal_loss_of_several_labels_is_torchvisions():
    reference = pytest.importorskip("torchvision.ops").sigmoid_focal_loss
    logits, targets = _logits()[..., :1, :1, :1], torch.tensor([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]]).double()
    expected = reference(logits.flatten(1), targets, alpha=-1, gamma=1.5, reduction="mean")
    assert SeveralLabelsObjective(focal_gamma=1.5)(logits, targets).item() == pytest.approx(expected.item())


def test_balanced_weights_of_several_labels_are_ratios():
    """As the documentation of torch's BCEWithLogitsLoss computes `pos_weight`: negatives by positives."""
    objective = SeveralLabelsObjective()
    objective.balance(np.array([10, 300, 0]), 400)
    assert objective.class_weights.tolist() == [390 / 10, pytest.approx(1 / 3), 1]
