"""How many videos may fail, and who is told."""

from __future__ import annotations

import csv

import pytest

from videogn.data.failures import Failures


@pytest.mark.parametrize(
    ("expected", "part", "limit"), [(100, 0.05, 5), (100, 0.059, 5), (10, 0.05, 1), (10, 0.0, 1), (4, 1.0, 4)]
)
def test_the_budget_is_a_part_and_at_least_one(expected, part, limit):
    failures = Failures("training", expected, part)
    for number in range(limit):
        failures.add({f"{number}.mp4": "empty"})
        assert not failures.over_budget
    failures.add({"one more.mp4": "empty"})
    assert failures.over_budget


def test_a_video_counts_once_an_epoch_and_is_named_once_a_run():
    failures = Failures("training", 10, 0.1)
    assert failures.add({"a.mp4": "empty"}) == {"a.mp4": "empty"}
    assert failures.add({"a.mp4": "empty"}) == {}
    assert not failures.over_budget
    failures.start_epoch()
    assert failures.reasons == {}
    assert failures.add({"a.mp4": "empty", "b.mp4": "gone"}) == {"b.mp4": "gone"}
    assert failures.over_budget


def test_a_resumed_training_counts_on():
    failures = Failures("training", 10, 0.1)
    failures.add({"a.mp4": "empty"})
    resumed = Failures("training", 10, 0.1)
    resumed.load_state_dict(failures.state_dict())
    assert resumed.add({"a.mp4": "empty"}) == {}
    assert not resumed.over_budget
    resumed.add({"b.mp4": "gone"})
    assert resumed.over_budget
    assert len(failures.reasons) == 1


def test_the_message_and_the_list(tmp_path):
    failures = Failures("training", 40, 0.05)
    failures.add({"a b.mp4": "not decoded within 60 s", "c,d.mp4": "empty", "e.mp4": "gone"})
    message = failures.message()
    assert message.startswith("3 of 40 training videos cannot be decoded, at most 2 may: ")
    assert "videogn data index" in message
    assert "--data.max_failures" in message
    with failures.write(tmp_path / "log").open(newline="", encoding="utf-8") as lines:
        rows = list(csv.reader(lines))
    assert rows == [["path", "reason"], ["a b.mp4", "not decoded within 60 s"], ["c,d.mp4", "empty"], ["e.mp4", "gone"]]
