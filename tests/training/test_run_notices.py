"""What a training run says of its memory and time; clock and trainer are stand-ins."""

from __future__ import annotations

import logging
import math
import re
from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import Timer

from videogn.axes import VideoRecord
from videogn.data.inspection import about_class_sizes
from videogn.data.video_index import VideoIndex
from videogn.system.durations import format_duration
from videogn.training.callbacks import ExpectedTime, PlannedMemory, RandomWeights
from videogn.training.callbacks import expected_time as module
from videogn.training.task import VideoClassifier


class _Clock:
    now = 0.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def _trainer(**changed):
    progress = SimpleNamespace(current=SimpleNamespace(ready=0), total=SimpleNamespace(completed=0))
    trainer = {
        "fit_loop": SimpleNamespace(epoch_loop=SimpleNamespace(batch_progress=progress)),
        "train_dataloader": SimpleNamespace(clips=4, multigrid=None),
        "val_dataloaders": SimpleNamespace(clips=8),
        "num_training_batches": 10,
        "num_val_batches": [5],
        "val_check_batch": 10,
        "check_val_every_n_epoch": 1,
        "enable_validation": True,
        "max_epochs": 20,
        "max_steps": -1,
        "accumulate_grad_batches": 1,
        "callbacks": [],
        "sanity_checking": False,
        "is_global_zero": True,
    }
    return SimpleNamespace(**{**trainer, **changed})


def _epoch(callback, trainer, clock, *, batch=3.0, validation=6.0, start=0.0):
    """An epoch: its loaders start, its batches, its validation."""
    progress = trainer.fit_loop.epoch_loop.batch_progress
    progress.current.ready = 0
    callback.on_train_epoch_start(trainer, None)
    clock.now += start
    for _ in range(trainer.num_training_batches):
        clock.now += batch
        progress.total.completed += 1
        callback.on_train_batch_end(trainer, None, None, None, 0)
    if validation:
        callback.on_validation_start(trainer, None)
        clock.now += validation
        callback.on_validation_end(trainer, None)
    callback.on_train_epoch_end(trainer, None)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.INFO, module.__name__)
    return lambda: [record.getMessage() for record in caplog.records]


def test_a_short_epoch_is_measured_as_a_whole(clock, said):
    """19 epochs of 10 batches: (30 s + 10 s for the start) / 10 a batch, and 6 s a validation."""
    callback, trainer = ExpectedTime(), _trainer()
    for _ in range(3):
        _epoch(callback, trainer, clock, start=10.0)
    assert said() == ["about 15 min left: 190 batches of 4 s, 19 validations of 6 s"]


def test_a_long_epoch_is_not_waited_for(clock, said):
    """3 batches to warm up, 10 of 3 s measured; a validation has 40 clips, 10 batches, at half the time."""
    callback, trainer = ExpectedTime(), _trainer(num_training_batches=1000, val_check_batch=1000, max_epochs=2)
    _epoch(callback, trainer, clock, validation=None)
    assert said() == ["about 1 h 40 min left: 1,987 batches of 3 s, 2 validations of 15 s"]


def test_the_clock_ends_it(clock, said, monkeypatch):
    timer = Timer("00:00:10:00")
    monkeypatch.setattr(timer, "time_remaining", lambda: 600.0)
    _epoch(ExpectedTime(), _trainer(max_epochs=1000, callbacks=[timer], num_val_batches=[0]), clock, validation=None)
    (line,) = said()
    assert line == "8 h 20 min left: 9,990 batches of 3 s; max_time ends it in 10 min, after about 2 % of it"


@pytest.mark.parametrize(
    "changed", [{"max_epochs": 2}, {"max_epochs": -1}, {"is_global_zero": False}, {"max_epochs": -1, "max_steps": 12}]
)
def test_nothing_of_what_is_over_soon_or_has_no_end(clock, said, changed):
    _epoch(ExpectedTime(), _trainer(**changed), clock)
    assert said() == []


def test_an_epoch_that_began_in_the_middle_does_not_count(clock, said):
    callback, trainer = ExpectedTime(), _trainer()
    trainer.fit_loop.epoch_loop.batch_progress.current.ready = 5
    callback.on_train_epoch_start(trainer, None)
    callback.on_train_epoch_end(trainer, None)
    assert said() == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.314, "0.31 s"), (3, "3 s"), (9.96, "10 s"), (45.4, "45 s"), (750, "12 min"), (7500, "2 h 5 min")],
)
def test_durations(seconds, text):
    assert format_duration(seconds) == text
    assert format_duration(273_600) == "3 d 4 h"


def _index(*labels):
    return VideoIndex([VideoRecord(f"{n}.mp4", label) for n, label in enumerate(labels)], ("run", "sit", "walk"), ".")


@pytest.mark.parametrize(
    ("labels", "line"),
    [
        ([0, 1, 2], "1 a class"),
        ([0, 0, 0, 1, 1], "2 (sit) to 3 (run) a class"),
        ([0] * 5 + [1] * 2, "2 (sit) to 5 (run) a class, 2.5 times as many"),
        ([None, None], None),
    ],
)
def test_sizes_of_classes(labels, line):
    assert about_class_sizes(_index(*labels)) == line


def _planned(monkeypatch, caplog, limit, patience=math.inf, **network):
    """What is said of the plan, however long it takes this machine."""
    caplog.set_level(logging.INFO, "videogn.training.callbacks.planned_memory")
    task = VideoClassifier(
        arch="i3d_tiny", arch_options={"width": 8}, clip_length=4, crop_size=32, class_names=["a", "b"], **network
    )
    trainer = SimpleNamespace(
        is_global_zero=True,
        fast_dev_run=False,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        train_dataloader=SimpleNamespace(clips=4, multigrid=None),
        optimizers=[torch.optim.AdamW(task.parameters(), fused=None)],
        precision="32-true",
    )
    monkeypatch.setattr("videogn.memory.device_memory", lambda _: limit)
    monkeypatch.setattr("videogn.training.callbacks.planned_memory._PATIENCE", patience)
    before = torch.get_rng_state()
    PlannedMemory().on_train_start(trainer, task)
    assert torch.equal(before, torch.get_rng_state())
    return [(record.levelname, record.getMessage()) for record in caplog.records]


def test_the_planned_memory(monkeypatch, caplog):
    ((level, line),) = _planned(monkeypatch, caplog, 2**30)
    assert level == "INFO"
    assert re.fullmatch(r"planned memory: \S+ MiB a step of 1.0 GiB on cpu; up to [\d,]+ clips a batch", line)
    assert len(line) <= 80


def test_a_memory_that_is_too_small(monkeypatch, caplog):
    ((level, line),) = _planned(monkeypatch, caplog, 2**20)
    assert level == "WARNING"
    assert line.endswith("up to 0 clips a batch: memory_mode auto takes what fits")


class _Index(list):
    """As many records as videos, and what they are called."""

    def __init__(self, records, example):
        super().__init__(records)
        self.example = example


@pytest.mark.parametrize(
    ("videos", "step", "init_from", "warns"),
    [(3, 0, None, True), (4, 0, None, False), (3, 0, "a.ckpt", False), (3, 7, None, False)],
)
@pytest.mark.parametrize(
    ("example", "small"), [("video", "--config my_videos_cpu"), ("image", "--model.arch resnet_tiny")]
)
def test_random_weights_and_few_videos(caplog, videos, step, init_from, warns, example, small):
    """A linear layer of 200,000 weights: 50,000 a video of four."""
    task = SimpleNamespace(net=torch.nn.Linear(1000, 200, bias=False), source=init_from)
    data = SimpleNamespace(splits={"train": _Index([None] * videos, example)})
    RandomWeights().on_train_start(SimpleNamespace(is_global_zero=True, global_step=step, datamodule=data), task)
    assert [message.startswith(f"random weights and only 3 train {example}s: ") for message in caplog.messages] == [
        True
    ] * warns
    assert all(message.endswith(f"a small network ({small})") for message in caplog.messages)
    assert all(len(line) <= 80 for message in caplog.messages for line in message.splitlines())


def test_no_plan_is_no_error(monkeypatch, caplog):
    assert _planned(monkeypatch, caplog, None) == []
    assert _planned(monkeypatch, caplog, 2**30, norm="sub_bn") == []  # each size of a batch would be a plan of its own
    assert _planned(monkeypatch, caplog, 2**30, patience=-math.inf) == []
