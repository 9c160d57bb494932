"""Loading in order and going on in the middle of an epoch: with workers, failing videos and a decoder that hangs."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import time

import pytest
import torch
from hanging_decoder import hang_at_some_files

from videogn.data.datamodule import VideoDataModule
from videogn.data.loader import STATEFUL
from videogn.data.sampler import VideoSampler

SIZES = {
    "clip_length": 4,
    "interval": 2,
    "crop_size": 24,
    "short_side": 28,
    "train_short_sides": (26, 32),
    "batch_size": 3,
}


def _data(root, **options):
    return VideoDataModule(str(root), **SIZES | {"num_workers": 0, "time_limit": 0} | options)


def _content(batch):
    """Everything there is to a batch."""
    decoded = [(s.position, s.path, s.starts, s.crops, s.frames.sum().item()) for s in batch.samples]
    return decoded, [(s.path, s.error) for s in batch.failed]


def _epoch(loader, epoch=0):
    loader.sampler.set_epoch(epoch)
    return [_content(batch) for batch in loader]


@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_same_batches_with_any_number_of_workers(damaged, num_workers):
    """Order, clips, crops and what replaces the failed videos, at every epoch, and in spite of workers that live on."""
    alone = _data(damaged).training_loader(seed=5)
    several = _data(damaged, num_workers=num_workers).training_loader(seed=5)
    epochs = [_epoch(alone, epoch) for epoch in (0, 1)]
    assert [_epoch(several, epoch) for epoch in (0, 1)] == epochs
    assert all(len(samples) == 3 for epoch in epochs for samples, _ in epoch)
    assert all(sum(len(failed) for _, failed in epoch) >= 2 for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_another_seed_draws_other_clips(damaged):
    one, other = (_epoch(_data(damaged).training_loader(seed=seed)) for seed in (1, 2))
    assert one != other


@pytest.mark.skipif(not STATEFUL, reason="needs torchdata")
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("taken", [1, 4])
def test_a_state_goes_on_with_the_rest_of_the_epoch(damaged, num_workers, taken):
    """In another loader, while workers have already loaded further."""
    whole = _epoch(_data(damaged).training_loader(seed=5), 2)
    loader = _data(damaged, num_workers=num_workers).training_loader(seed=5)
    assert loader.state_dict() == {}
    loader.sampler.set_epoch(2)
    begun = [_content(batch) for batch in itertools.islice(loader, taken)]
    state = loader.state_dict()
    resumed = _data(damaged, num_workers=num_workers).training_loader(seed=5)
    resumed.load_state_dict(state)
    assert begun + [_content(batch) for batch in resumed] == whole
    assert _epoch(resumed, 3) == _epoch(_data(damaged).training_loader(seed=5), 3)


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_trainers_count_decides_where_an_epoch_goes_on(damaged, num_workers):
    """It is asked when the first batch is, not when the iterator is made: a trainer restores it in between."""
    counts = [0]
    loader = _data(damaged, num_workers=num_workers).training_loader(seed=5)
    loader.trained_batches = lambda: counts[0]
    batches = iter(loader)
    counts[0] = 4
    loader.sampler.set_epoch(1)
    resumed = [_content(batch) for batch in batches]
    counts[0] = 0
    assert resumed == _epoch(loader, 1)[4:]
    assert len(_epoch(loader, 2)) == 10


def test_loading_leaves_torchs_random_numbers_alone(damaged):
    before = torch.get_rng_state()
    for num_workers in (0, 1):
        list(itertools.islice(_data(damaged, num_workers=num_workers).training_loader(seed=5), 2))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_decoder_that_hangs_costs_its_video_only(motion, tmp_path, monkeypatch, num_workers):
    hang_at_some_files(monkeypatch)
    shutil.copytree(motion / "train", tmp_path / "train")
    source = next((tmp_path / "train" / "expand").glob("*.mp4"))
    source.rename(source.with_name("hangs.mp4"))
    data = _data(tmp_path, num_workers=num_workers, time_limit=4, batch_size=8)
    start = time.monotonic()
    batches = list(data.training_loader(seed=0))
    assert [len(batch.samples) for batch in batches] == [8] * 4
    failed = [(s.path, s.error) for batch in batches for s in batch.failed]
    assert set(failed) == {(str(source.with_name("hangs.mp4")), "not decoded within 4 s; the decoder was stopped")}
    assert time.monotonic() - start < 30


def test_evaluation_substitutes_nothing(damaged):
    """Neither in validation nor in a test; what failed is in the batch with its reason."""
    videos = sorted((damaged / "train").rglob("*.mp4"))
    data = _data(damaged, val=str(damaged / "train"))
    for loader in (data.val_dataloader(), data.test_dataloader()):
        batches = list(loader)
        everything = [sample for batch in batches for sample in (*batch.samples, *batch.failed)]
        assert sorted(sample.path for sample in everything) == [str(video) for video in videos]
        assert {s.path: s.error for batch in batches for s in batch.failed} == {
            str(video): "file is empty" for video in videos[::12]
        }


def test_without_torchdata_loading_is_the_same_and_one_line_says_so(damaged):
    script = f"""
import sys
sys.modules["torchdata"] = None
import logging, itertools
logging.basicConfig(format="%(message)s")
from videogn.data.datamodule import VideoDataModule
data = VideoDataModule({str(damaged)!r}, **{SIZES}, num_workers=0, time_limit=0)
data.setup("test")
data.setup("fit")
loader = data.training_loader(seed=5)
print(type(loader).__mro__[1].__module__, hasattr(loader, "state_dict"))
loader.trained_batches = lambda: 2
loader.sampler.set_epoch(1)
print([[sample.position for sample in batch.samples] for batch in loader])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.count("torchdata is not installed") == 1
    first, positions = done.stdout.splitlines()
    assert first == "torch.utils.data.dataloader False"
    assert eval(positions) == [
        [position for position, *_ in samples] for samples, _ in _epoch(_data(damaged).training_loader(seed=5), 1)[2:]
    ]


def test_the_sampler_is_the_projects_own(damaged):
    data = _data(damaged)
    for loader in (data.training_loader(seed=0), data.val_dataloader(), data.test_dataloader()):
        assert isinstance(loader.sampler, VideoSampler)


def test_the_seed_is_asked_for_when_an_epoch_begins(damaged):
    """A data module may be restored after its loader was made."""
    loader = _data(damaged).training_loader(seed=5)
    seeds = [5]
    loader.seed_of_order = lambda: seeds[0]
    batches = iter(loader)
    seeds[0] = 6
    assert [_content(batch) for batch in batches] == _epoch(_data(damaged).training_loader(seed=6))
