"""The memory mode and the division of a batch that fit into a memory."""

from __future__ import annotations

import functools

import pytest

from videogn.memory import StepSetting, find_fit, largest_batches, plan_steps
from videogn.memory.fitting import clips_together
from videogn.models.recompute import MEMORY_MODES

TINY = {"model": "i3d_tiny", "clip_length": 4, "crop": 64, "num_classes": 8, "arch_options": {"width": 8}}
BATCH = 8


@functools.cache
def _plan(mode, norm):
    return plan_steps([StepSetting(**TINY, norm=norm, memory_mode=mode)], device="cpu")[0]


def _peak(mode, clips, norm="gn"):
    return _plan(mode, norm).memory(clips).peak_bytes


def _fit(limit, batch=BATCH, accumulated=1, **setting):
    return find_fit(StepSetting(**{**TINY, **setting}), batch, accumulated, limit, device="cpu")


def test_the_fastest_mode_that_holds_the_whole_batch():
    needed = {mode: _peak(mode, BATCH) for mode in MEMORY_MODES}
    assert min(needed.values()) < needed["plain"]
    for limit in needed.values():
        fit = _fit(limit)
        fastest = next(mode for mode in MEMORY_MODES if needed[mode] <= limit)
        assert (fit.memory_mode, fit.batch_size, fit.accumulated) == (fastest, BATCH, 1)


@pytest.mark.parametrize(
    ("clips", "batch", "accumulated", "expected"),
    [(5, 8, 1, (4, 2)), (3, 8, 3, (3, 8)), (2, 7, 1, (1, 7)), (4, 6, 2, (4, 3))],
)
def test_a_batch_that_no_mode_holds_is_divided_in_the_fastest_mode(clips, batch, accumulated, expected, monkeypatch):
    monkeypatch.setattr("videogn.memory.fitting.MEMORY_MODES", ("plain",))
    fit = _fit(_peak("plain", clips), batch, accumulated)
    assert (fit.memory_mode, fit.batch_size, fit.accumulated) == ("plain", *expected)
    assert fit.batch_size * fit.accumulated == batch * accumulated


def test_a_batch_of_batch_statistics_is_not_divided(monkeypatch):
    monkeypatch.setattr("videogn.memory.fitting.MEMORY_MODES", ("plain",))
    limit = _peak("plain", BATCH, norm="bn") - 1
    with pytest.raises(ValueError, match=r"bn takes its statistics over 8 clips, .* --data.batch_size \d, .* gn"):
        _fit(limit, norm="bn")


@pytest.mark.parametrize(
    ("norm", "options", "together"),
    [("bn", {}, 8), ("brn", {}, 8), ("bcn", {}, 8), ("sub_bn", {"clips": 2}, 2), ("gn", {}, 1), ("frozen_bn", {}, 1)],
)
def test_the_layers_say_how_many_clips_they_look_at(norm, options, together):
    assert clips_together(StepSetting(**TINY, norm=norm, norm_options=options), 8) == together


def test_no_clip_at_all():
    with pytest.raises(ValueError, match=r"one clip needs .* even in memory mode stage, and 1.0 KiB can be used"):
        _fit(1024)
    with pytest.raises(ValueError, match=r"2 clips need .* even in memory mode stage, and 1.0 KiB can be used"):
        _fit(1024, norm="sub_bn", norm_options={"clips": 2})


def test_largest_batches_are_of_the_modes_that_a_network_has():
    limit = 1 << 30
    setting = StepSetting(model="r3d_18", clip_length=8, crop=64, num_classes=8)
    found = largest_batches(setting, limit, device="cpu")
    assert list(found) == ["plain", "block"]
    assert 1 < found["plain"] < found["block"]
