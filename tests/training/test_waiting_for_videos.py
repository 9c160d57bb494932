"""What a training run says where its network waits for its videos, by a clock that is a stand-in."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from torch.utils.data import DataLoader

from videogn.axes import Batch, Sample
from videogn.data.loader import video_loader
from videogn.data.sampler import VideoSampler
from videogn.training.callbacks import WaitingForVideos
from videogn.training.callbacks import waiting_for_videos as module

CORES = 4


class _Clock:
    now = 0.0

    def monotonic(self):
        return self.now


class _Data(pl.LightningDataModule):
    """Every batch takes `seconds` to load; the first ones of an epoch take `start` more."""

    caches = False

    def __init__(self, clock, seconds, *, batches=30, start=0.0, example="video"):
        super().__init__()
        self.clock, self.seconds, self.start, self.batches = clock, seconds, start, batches
        self.splits = {"train": SimpleNamespace(example=example)}

    def __len__(self):
        return self.batches

    def __getitem__(self, index):
        self.clock.now += self.seconds + (self.start if index < 3 else 0.0)
        return torch.zeros(1)

    def train_dataloader(self):
        return DataLoader(self, batch_size=None)

    def val_dataloader(self):
        return DataLoader([torch.zeros(1)], batch_size=None)


class _Task(pl.LightningModule):
    """A step takes a second, a validation a minute."""

    def __init__(self, clock):
        super().__init__()
        self.clock, self.weight = clock, torch.nn.Parameter(torch.zeros(1))

    def training_step(self, batch, batch_idx):
        self.clock.now += 1.0
        return self.weight.sum()

    def validation_step(self, batch, batch_idx):
        self.clock.now += 60.0

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def fit(monkeypatch, caplog, tmp_path):
    """Function that trains with a loader and returns what was said."""
    caplog.set_level(logging.INFO, module.__name__)
    clock = _Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module, "available_cores", lambda: CORES)

    def run(seconds, *, caches=False, epochs=1, val_check_interval=None, **loading):
        data = _Data(clock, seconds, **loading)
        data.caches = caches
        quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
        trainer = pl.Trainer(
            accelerator="cpu", max_epochs=epochs, callbacks=[WaitingForVideos()], default_root_dir=tmp_path,
            enable_checkpointing=False, num_sanity_val_steps=0, val_check_interval=val_check_interval, **quiet,
        )  # fmt: skip
        trainer.fit(_Task(clock), data)
        return [record.getMessage() for record in caplog.records if record.name == module.__name__]

    return run


def test_a_slow_loader_is_named_once(fit):
    """Two windows of 20 batches with 0.25 s of waiting for 1 s of work, but one line: 0.25 / 1.25."""
    assert fit(0.25, batches=60) == [
        "waiting for videos takes 20 % of the time: try --data.num_workers 4 (now 0, on 4 cores)"
    ]


def test_images_are_called_images(fit):
    (line,) = fit(0.25, example="image")
    assert line.startswith("waiting for images takes 20 % of the time: try --data.num_workers 4 ")


@pytest.mark.parametrize(
    ("seconds", "options"),
    [
        (0.1, {}),  # 0.1 / 1.1
        (0.0, {"start": 100.0, "epochs": 3}),  # only while the loader starts
        (0.0, {"val_check_interval": 1, "batches": 25}),  # the time of validations
        (9.0, {"batches": 20}),  # too few batches
        (9.0, {"caches": True}),  # the epoch in which videos are decoded to be kept
    ],
)
def test_nothing_is_said_of_a_loader_that_keeps_up_or_starts(fit, seconds, options):
    assert fit(seconds, **options) == []


def test_kept_videos_are_judged_from_the_second_epoch_on(fit):
    assert len(fit(0.25, caches=True, epochs=2)) == 1


def test_checkpoints_are_no_waiting(monkeypatch):
    clock, callback = _Clock(), WaitingForVideos()
    monkeypatch.setattr(module, "time", clock)
    trainer = SimpleNamespace(datamodule=SimpleNamespace(caches=False))
    for _ in range(30):
        callback.on_train_batch_start(trainer, None, None, 0)
        clock.now += 1.0
        callback.on_train_batch_end(trainer, None, None, None, 0)
        callback.on_save_checkpoint(trainer, None, {})
        clock.now += 9.0
    assert callback._steps == []


_COPIES = "smaller copies (`videogn data resize`)"
_OTHER = " or another decoder (`videogn bench data` compares them)"


@pytest.mark.parametrize(
    ("workers", "devices", "caches", "example", "expected"),
    [
        (1, 2, False, "video", "try --data.num_workers 2 (now 1, on 4 cores)"),
        (2, 2, False, "video", f"try {_COPIES}, kept frames (--data.cache){_OTHER}"),
        (9, 1, True, "video", f"try {_COPIES}{_OTHER}"),
        (0, 1, True, "image", "try --data.num_workers 4 (now 0, on 4 cores)"),
        (4, 1, False, "image", "try smaller images or kept ones (--data.cache)"),
        (4, 1, True, "image", "try smaller images"),
    ],
)
def test_more_processes_are_advised_where_there_are_cores(monkeypatch, workers, devices, caches, example, expected):
    monkeypatch.setattr(module, "available_cores", lambda: CORES)
    trainer = SimpleNamespace(
        train_dataloader=SimpleNamespace(num_workers=workers), num_devices=devices,
        datamodule=SimpleNamespace(caches=caches, splits={"train": SimpleNamespace(example=example)}),
    )  # fmt: skip
    assert module._advice(trainer) == expected


def test_a_gpu_measures_its_own_waiting(monkeypatch):
    """A stand-in for CUDA's events: the host is ready after 0.3 s of a step that takes the device 1 s."""
    device = SimpleNamespace(free=0.0)  # the time at which it has done what it was given
    clock = _Clock()

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            self.at = device.free = max(device.free, clock.now)

        def synchronize(self):
            pass

        def elapsed_time(self, other):
            return 1000 * (other.at - self.at)

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(module, "time", clock)
    waiting = {}
    for loading in (0.7, 1.2):  # seconds on the host, for each step
        callback, shares = WaitingForVideos(), []
        monkeypatch.setattr(callback, "_judge", lambda trainer, it=callback, to=shares: to.extend(it._steps))
        callback.on_train_start(None, SimpleNamespace(device=torch.device("cuda")))
        trainer = SimpleNamespace(datamodule=SimpleNamespace(caches=False))
        for _ in range(40):
            clock.now += loading
            callback.on_train_batch_start(trainer, None, None, 0)
            device.free = max(device.free, clock.now) + 1.0
            clock.now += 0.3
            callback.on_train_batch_end(trainer, None, None, None, 0)
        seconds = callback._clock.seconds
        waiting[loading] = sum(seconds(step.before, step.there) for step in shares[-10:]) / 10
    assert waiting == {0.7: pytest.approx(0.0), 1.2: pytest.approx(0.5)}


def test_frames_travel_without_being_waited_for(monkeypatch):
    """Page-locked by the loader where there is CUDA, and sent without blocking; "meta" stands in for the GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    sampler = VideoSampler(1, shuffle=True, seed=0)
    assert video_loader([None], sampler, batch_size=1, num_workers=0).pin_memory
    asked = []
    plain = torch.Tensor.to
    monkeypatch.setattr(torch.Tensor, "to", lambda self, *to, **how: asked.append(how) or plain(self, *to, **how))
    tensors = {"frames": torch.zeros(2, 4, 4, 3, dtype=torch.uint8), "clips": torch.zeros(1, 2, dtype=torch.int64)}
    batch = Batch([Sample(0, "a.mp4", 0, **tensors)], [])
    (moved,) = pl.LightningModule().transfer_batch_to_device(batch, torch.device("meta"), 0).samples
    assert moved.frames.is_meta
    assert moved.clips.is_meta
    assert asked == [{"non_blocking": True}] * 2
