"""Batches of multigrid training: every video once a pass, one shape for all processes, and resumable."""

from __future__ import annotations

import itertools

import pytest

from videogn.data.datamodule import VideoDataModule
from videogn.data.loader import STATEFUL
from videogn.data.multigrid import Cycles, Multigrid
from videogn.data.sampler import VideoSampler
from videogn.data.shaped_batches import ShapedBatchSampler

CYCLES = Cycles(cycles="both", clip_length=8, interval=2, crop_size=24, batch_size=1, milestones=(0.5,))
SIZES = {"clip_length": 8, "interval": 2, "crop_size": 24, "short_side": 28, "train_short_sides": (26, 32)}


def _run(videos=32, epochs=5, **options):
    return Multigrid.of_epochs(CYCLES, videos, epochs, **options)


def _samplers(monkeypatch, count, processes, steps):
    made = []
    for rank in range(processes):
        monkeypatch.setattr("videogn.data.sampler.world_size", lambda: processes)
        monkeypatch.setattr("videogn.data.sampler.rank", lambda rank=rank: rank)
        made.append(ShapedBatchSampler(count, steps, seed=3))
    return made


def _epoch(sampler, epoch):
    sampler.set_epoch(epoch)
    return list(sampler)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_batches_go_through_the_videos_pass_by_pass(accumulate):
    """In the orders of VideoSampler, nothing dropped between two epochs."""
    run = _run(accumulate=accumulate)
    sampler = ShapedBatchSampler(32, run, seed=3)
    batches = [batch for epoch in range(5) for batch in _epoch(sampler, epoch)]
    assert [batch.shape for batch in batches] == [run.shape(n // accumulate) for n in range(run.steps * accumulate)]
    assert all(len(batch.draws) == batch.shape.clips for batch in batches)
    drawn = [draw for batch in batches for draw in batch.draws]
    whole = VideoSampler(32, shuffle=True, seed=3)
    expected = []
    for passed in range(len(drawn) // 32 + 1):
        whole.set_epoch(passed)
        expected += list(whole)
    assert drawn == expected[: len(drawn)]


def test_all_processes_have_one_shape_and_share_the_videos(monkeypatch):
    run = _run(videos=16)
    samplers = _samplers(monkeypatch, 33, 2, run)
    both = [[batch for epoch in range(5) for batch in _epoch(sampler, epoch)] for sampler in samplers]
    assert [batch.shape for batch in both[0]] == [batch.shape for batch in both[1]]
    first = [{draw for batch in batches for draw in batch.draws if draw.epoch == 0} for batches in both]
    assert [len(part) for part in first] == [16, 16]
    assert not first[0] & first[1]


def test_a_state_goes_on_in_its_epoch():
    sampler = ShapedBatchSampler(32, _run(), seed=3)
    whole = _epoch(sampler, 2)
    batches = iter(sampler)
    begun = [next(batches) for _ in range(2)]
    resumed = ShapedBatchSampler(32, _run(), seed=3)
    resumed.load_state_dict(sampler.state_dict())
    assert begun + list(resumed) == whole


def _loader(root, **options):
    data = VideoDataModule(str(root), **SIZES, multigrid="both", batch_size=1, time_limit=0, **options)
    data.multigrid_steps = _run()
    data.load_state_dict({"order": {"seed": 7, "videos": 32}})
    return data.train_dataloader()


def _content(batch):
    return [(s.position, s.starts, s.clips.shape[1], s.crops, s.frames.sum().item()) for s in batch.samples]


@pytest.fixture(scope="module")
def epochs(damaged):
    """Two epochs without workers."""
    loader = _loader(damaged, num_workers=0)
    found = []
    for epoch in (0, 4):
        loader.sampler.set_epoch(epoch)
        found.append([_content(batch) for batch in loader])
    return found


def test_clips_have_the_shapes_of_the_steps(epochs):
    """Frames, crop and clips of every batch; a failed video is replaced, so that batches are full."""
    run = _run()
    for epoch, batches in zip((0, 4), epochs, strict=True):
        for number, batch in enumerate(batches, epoch * run.epoch_steps):
            shape = run.shape(number)
            assert len(batch) == shape.clips
            assert {length for _, _, length, *_ in batch} == {shape.clip_length}
            assert {(crop.height, crop.width) for *_, (crop,), _ in batch} == {(shape.crop_size,) * 2}


def test_workers_make_no_difference(damaged, epochs):
    loader = _loader(damaged, num_workers=2)
    for epoch, batches in zip((0, 4), epochs, strict=True):
        loader.sampler.set_epoch(epoch)
        assert [_content(batch) for batch in loader] == batches


@pytest.mark.skipif(not STATEFUL, reason="needs torchdata")
@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_loaders_state_goes_on_in_the_middle_of_an_epoch(damaged, epochs, num_workers):
    loader = _loader(damaged, num_workers=num_workers)
    begun = [_content(batch) for batch in itertools.islice(loader, 2)]
    resumed = _loader(damaged, num_workers=num_workers)
    resumed.load_state_dict(loader.state_dict())
    assert begun + [_content(batch) for batch in resumed] == epochs[0]


def test_a_trainers_count_decides_where_an_epoch_goes_on(damaged, epochs):
    loader = _loader(damaged, num_workers=0)
    loader.trained_batches = lambda: 3
    assert [_content(batch) for batch in loader] == epochs[0][3:]
