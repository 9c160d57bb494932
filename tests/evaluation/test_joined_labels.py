"""Names of classes in one cell, whatever they hold."""

import numpy as np
import pytest
from tested_folders import write_tested

from videogn.evaluation.joined_labels import join_labels, split_labels
from videogn.evaluation.recorded_results import read_recorded
from videogn.evaluation.summary_check import summary_differences

CLASSES = ("red; dark", "red", "blue", "dark")


@pytest.mark.parametrize("names", [(), ("red",), ("red; dark", "blue"), ("red", "blue", "dark"), ("blue", "red; dark")])
def test_there_and_back(names):
    assert split_labels(join_labels(names), CLASSES) == names


def test_one_label_is_never_split():
    assert split_labels("a;b", CLASSES, several=False) == ("a;b",)
    assert split_labels(None, CLASSES) == ()


def test_an_unknown_name():
    with pytest.raises(KeyError, match="green"):
        split_labels("red;green", CLASSES)


def test_results_with_such_names_follow_from_their_rows(tmp_path):
    """As `videogn verify` checks."""
    rng = np.random.default_rng(0)
    videos = [(f"/data/{n}.mp4", (CLASSES[n % 4], CLASSES[(n + 1) % 4]), rng.random(4)) for n in range(12)]
    about = {"model": {}, "index_sha256": ""}
    write_tested(tmp_path, videos, classes=CLASSES, several_labels=True, clips=True, **about)
    assert summary_differences(read_recorded(tmp_path), expected=12, several_labels=True) == ([], [])
