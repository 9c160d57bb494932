"""The order of the videos: dealt out without repeats, the same whoever asks, another at every epoch."""

from __future__ import annotations

import pytest
from torch.utils.data import DistributedSampler

from videogn.data.sampler import Draw, VideoSampler


def _samplers(monkeypatch, count, processes, **options):
    """A sampler for each of several processes."""
    made = []
    for rank in range(processes):
        monkeypatch.setattr("videogn.data.sampler.world_size", lambda: processes)
        monkeypatch.setattr("videogn.data.sampler.rank", lambda rank=rank: rank)
        made.append(VideoSampler(count, **options))
    return made


def _positions(sampler, epoch=0):
    sampler.set_epoch(epoch)
    return [draw.position for draw in sampler]


@pytest.mark.parametrize(("count", "processes"), [(12, 1), (12, 3), (13, 2), (14, 4), (4, 4)])
def test_training_is_dealt_out_without_repeats(monkeypatch, count, processes):
    """As many to each; what is left of the division is left out, and not the same videos at every epoch."""
    samplers = _samplers(monkeypatch, count, processes, shuffle=True, seed=3)
    left_out = set()
    for epoch in range(8):
        dealt = [_positions(sampler, epoch) for sampler in samplers]
        assert {len(part) for part in dealt} == {count // processes} == {len(sampler) for sampler in samplers}
        together = [position for part in dealt for position in part]
        assert len(set(together)) == len(together)
        left_out |= set(range(count)) - set(together)
    assert (len(left_out) > count % processes) == (count % processes > 0)


@pytest.mark.parametrize(("count", "processes"), [(7, 1), (7, 2), (8, 3), (3, 3)])
def test_evaluation_takes_every_video_once_and_in_order(monkeypatch, count, processes):
    samplers = _samplers(monkeypatch, count, processes, shuffle=False)
    dealt = [_positions(sampler, epoch=5) for sampler in samplers]
    assert [len(part) for part in dealt] == [len(sampler) for sampler in samplers]
    assert sorted(position for part in dealt for position in part) == list(range(count))
    assert all(part == sorted(part) for part in dealt)


def test_the_first_draws_of_all_processes_are_the_first_of_one_order(monkeypatch):
    """However many there are: so a training can go on with other devices between two epochs, and compare."""
    (alone,) = _samplers(monkeypatch, 24, 1, shuffle=True, seed=1)
    order = _positions(alone, epoch=2)
    for processes in (2, 3, 4):
        dealt = [_positions(s, epoch=2) for s in _samplers(monkeypatch, 24, processes, shuffle=True, seed=1)]
        assert [position for together in zip(*dealt, strict=True) for position in together] == order


def test_the_order_is_a_function_of_seed_and_epoch():
    one, same, other = (VideoSampler(50, shuffle=True, seed=seed) for seed in (1, 1, 2))
    assert _positions(one, 0) != _positions(one, 1)
    assert _positions(one, 1) == _positions(same, 1)
    assert _positions(one, 1) != _positions(other, 1)


def test_the_epoch_goes_along_with_every_training_video():
    sampler = VideoSampler(3, shuffle=True)
    sampler.set_epoch(4)
    assert {draw.epoch for draw in sampler} == {4}
    evaluation = VideoSampler(3, shuffle=False)
    evaluation.set_epoch(4)  # an evaluation is the same at every epoch
    assert list(evaluation) == [Draw(0, 0), Draw(0, 1), Draw(0, 2)]


def test_a_state_goes_on_in_its_epoch_and_only_there():
    sampler = VideoSampler(10, shuffle=True, seed=7)
    sampler.set_epoch(3)
    draws = iter(sampler)
    begun = [next(draws) for _ in range(4)]
    state = sampler.state_dict()
    assert state == {"epoch": 3, "drawn": 4}
    resumed = VideoSampler(10, shuffle=True, seed=7)
    resumed.load_state_dict(state)
    assert begun + list(resumed) == list(resumed)  # the second time from the beginning
    resumed.load_state_dict(state)
    assert len(_positions(resumed, 4)) == 10


def test_lightning_leaves_it_alone():
    """It puts in a sampler of its own, which repeats videos, unless there is a DistributedSampler."""
    assert isinstance(VideoSampler(3, shuffle=True), DistributedSampler)


def test_too_few_videos_for_the_processes(monkeypatch):
    with pytest.raises(ValueError, match="2 videos are too few for 3 processes"):
        _samplers(monkeypatch, 2, 3, shuffle=True)
