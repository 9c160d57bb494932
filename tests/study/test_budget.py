"""What a budget pays for, worked out by hand."""

from __future__ import annotations

import pytest
from lightning.pytorch.callbacks import Timer

from videogn.study import Budget

NO_LIMIT = {"max_epochs": -1, "max_steps": -1, "max_time": None}


@pytest.mark.parametrize(
    ("kind", "amount", "label", "slug"),
    [
        ("epochs", 24, "24 epochs", "24epochs"),
        ("epochs", 24.0, "24 epochs", "24epochs"),
        ("iterations", 400_000, "400000 iterations", "400000iterations"),
        ("frames", 10**9, "1000000000 frames", "1000000000frames"),
        ("minutes", 0.5, "0.5 minutes", "0.5minutes"),
        ("minutes", 90, "90 minutes", "90minutes"),
    ],
)
def test_names(kind, amount, label, slug):
    assert (Budget(kind, amount).label, Budget(kind, amount).slug) == (label, slug)


@pytest.mark.parametrize(
    ("kind", "amount", "words"),
    [
        ("epoch", 3, "budget must be one of epochs, iterations, frames, minutes, got 'epoch'; did you mean 'epochs'"),
        ("epochs", 0, "budget must have epochs > 0, got 0"),
        ("iterations", -1, "budget must have iterations > 0, got -1"),
        ("frames", "many", "budget must have frames > 0, got 'many'"),
        ("epochs", True, "got True"),
        ("epochs", None, "got None"),
        ("minutes", float("nan"), "minutes > 0, got nan"),
        ("minutes", float("inf"), "minutes > 0, got inf"),
        ("epochs", 2.5, "budget must have whole epochs, got 2.5"),
        ("frames", 0.5, "budget must have whole frames, got 0.5"),
    ],
)
def test_wrong_budgets(kind, amount, words):
    with pytest.raises(ValueError, match=words):
        Budget(kind, amount)


@pytest.mark.parametrize(
    ("kind", "amount", "clip_length", "clips", "videos", "steps"),
    [
        ("iterations", 100, 8, 8, None, 100),
        ("iterations", 100, 64, 1, 5, 100),
        ("frames", 6400, 8, 8, None, 100),
        ("frames", 6400, 16, 8, None, 50),  # clips twice as long: half the steps
        ("frames", 6400, 8, 16, None, 50),
        ("frames", 10, 8, 8, None, 1),  # never none
        ("epochs", 3, 8, 8, 32, 12),
        ("epochs", 3, 64, 8, 32, 12),  # an epoch is a clip of every video, however long
        ("epochs", 3, 8, 8, None, None),
        ("minutes", 3, 8, 8, 32, None),
    ],
)
def test_steps(kind, amount, clip_length, clips, videos, steps):
    assert Budget(kind, amount).steps(clip_length * clips, clips, videos) == steps


@pytest.mark.parametrize("clip_length", [4, 8, 16, 32, 64])
@pytest.mark.parametrize("clips", [1, 2, 8])
def test_a_budget_of_frames_is_spent_whatever_the_clip(clip_length, clips):
    frames = 10_240
    steps = Budget("frames", frames).trainer_options(clip_length * clips)["max_steps"]
    assert steps * clips * clip_length == frames


@pytest.mark.parametrize(
    ("budget", "limits"),
    [
        (Budget("epochs", 24.0), {"max_epochs": 24}),
        (Budget("iterations", 7), {"max_steps": 7}),
        (Budget("frames", 640), {"max_steps": 10}),
        (Budget("minutes", 0.5), {"max_time": "00:00:00:30"}),
        (Budget("minutes", 61.25), {"max_time": "00:01:01:15"}),
        (Budget("minutes", 2 * 24 * 60 + 5 * 60 + 1), {"max_time": "02:05:01:00"}),
        (Budget("minutes", 120 * 24 * 60), {"max_time": "120:00:00:00"}),
    ],
)
def test_the_trainer_is_limited_by_one_thing_only(budget, limits):
    """What a shared configuration limits besides is taken back."""
    assert budget.trainer_options(64) == NO_LIMIT | limits


@pytest.mark.parametrize("minutes", [0.5, 61.25, 4321, 10**6 + 1 / 60])
def test_lightning_reads_the_time(minutes):
    timer = Timer(Budget("minutes", minutes).trainer_options(64)["max_time"])
    assert timer.time_remaining() == pytest.approx(60 * minutes, abs=1e-6)


def test_a_short_time_is_not_no_time():
    assert Timer(Budget("minutes", 0.005).trainer_options(64)["max_time"]).time_remaining() > 0
