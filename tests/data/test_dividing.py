"""Division by class and group: against every possible division, rules worked out by hand, and what may never happen."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from videogn.data.dividing import divide_groups
from videogn.data.groups import joined_groups

SHARES = (0.7, 0.15, 0.15)


def one_label(classes: np.ndarray) -> csr_array:
    return csr_array((np.ones(len(classes)), (np.arange(len(classes)), classes)))


def names(groups: np.ndarray) -> list[bytes]:
    return [str(group).encode() for group in range(groups.max() + 1)]


def chi_square(sides: np.ndarray, labels: np.ndarray, shares: tuple[float, ...]) -> float:
    """The definition, over classes and over all videos."""
    everything = np.column_stack([labels, np.ones(len(labels))])
    return sum(
        (everything[sides == side, column].sum() - share * everything[:, column].sum()) ** 2
        / (share * everything[:, column].sum())
        for side, share in enumerate(shares)
        for column in range(everything.shape[1])
    )


@pytest.mark.parametrize(
    ("count", "expected"), [(1, (1, 0, 0)), (4, (2, 1, 1)), (10, (6, 2, 2)), (20, (14, 3, 3)), (100, (70, 15, 15))]
)
def test_one_class_without_groups(count, expected):
    alone = np.arange(count)
    sides = divide_groups(alone, one_label(np.zeros(count, int)), SHARES, names(alone))
    assert np.abs(np.bincount(sides, minlength=3) - expected).max() <= 1
    assert np.abs(np.bincount(sides, minlength=3) - count * np.array(SHARES)).max() < 1


@pytest.mark.parametrize("seed", range(4))
def test_nearly_as_good_as_the_best_of_all_divisions(seed):
    rng = np.random.default_rng(seed)
    groups = np.sort(np.append(np.arange(7), rng.integers(7, size=33)))
    classes = rng.integers(3, size=40)
    labels = one_label(classes)
    found = chi_square(divide_groups(groups, labels, SHARES, names(groups)), labels.toarray(), SHARES)
    every = (np.array(sides)[groups] for sides in itertools.product(range(3), repeat=7))
    all_costs = np.sort([chi_square(sides, labels.toarray(), SHARES) for sides in every])
    assert found <= all_costs[len(all_costs) // 200] + 1e-9


def test_many_small_classes_do_not_add_up_to_a_large_side():
    """Four videos a class: two, one and one would be half for training."""
    classes = np.repeat(np.arange(100), 4)
    alone = np.arange(400)
    sides = divide_groups(alone, one_label(classes), SHARES, names(alone))
    assert np.abs(np.bincount(sides) / 400 - SHARES).max() < 0.02


def test_several_labels_a_video():
    rng = np.random.default_rng(0)
    labels = (rng.random((200, 5)) < [0.5, 0.3, 0.2, 0.1, 0.05]).astype(float)
    alone = np.arange(200)
    sides = divide_groups(alone, csr_array(labels), SHARES, names(alone))
    reached = np.stack([labels[sides == side].sum(axis=0) for side in range(3)])
    assert np.abs(reached - np.outer(SHARES, labels.sum(axis=0))).max() < 2


def test_groups_stay_together_and_seed_and_order_do_what_they_say():
    rng = np.random.default_rng(0)
    groups, classes = np.sort(np.append(np.arange(30), rng.integers(30, size=170))), rng.integers(4, size=200)
    sides = divide_groups(groups, one_label(classes), SHARES, names(groups))
    assert all(len(set(sides[groups == group])) == 1 for group in range(30))
    order = rng.permutation(200)
    assert np.array_equal(divide_groups(groups[order], one_label(classes[order]), SHARES, names(groups)), sides[order])
    alone = np.arange(200)
    first, second = (divide_groups(alone, one_label(classes), SHARES, names(alone), seed) for seed in (0, 1))
    assert not np.array_equal(first, second)
    for side in range(3):
        assert np.array_equal(np.bincount(classes[first == side]), np.bincount(classes[second == side]))


def test_what_belongs_together_by_any_key_and_by_way_of_others():
    keys = [["a", "b", "c", "d", "e", "f"], [1, None, 1, None, 2, 2], [None, "x", "x", None, None, None]]
    assert joined_groups(keys).tolist() == [0, 0, 0, 1, 2, 2]
    assert joined_groups(keys, [(3, 5)]).tolist() == [0, 0, 0, 1, 1, 1]
    assert joined_groups([["a", "b"]]).tolist() == [0, 1]
