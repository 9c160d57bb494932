"""What a training cost, over interruptions too; the clock is a stand-in."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
import torch
from training import fit_arguments

from videogn.training.callbacks import TrainingCost
from videogn.training.callbacks import training_cost as cost_module

KEYS = ["training_seconds", "validation_seconds", "steps", "clips", "frames"]
KEYS += ["peak_device_bytes", "peak_process_bytes", "ended_by"]


class _Clock:
    now = 100.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = _Clock()
    monkeypatch.setattr(cost_module, "time", clock)
    return clock


def _trainer(tmp_path, *, step=0, processes=2):
    strategy = SimpleNamespace(reduce=lambda value, reduce_op: value)
    return SimpleNamespace(
        world_size=processes,
        global_step=step,
        strategy=strategy,
        is_global_zero=True,
        fast_dev_run=False,
        log_dir=str(tmp_path),
        default_root_dir="elsewhere",
        max_steps=-1,
        max_epochs=1,
        current_epoch=1,
    )


#: Four clips of 8 frames.
BATCH = SimpleNamespace(samples=[SimpleNamespace(clips=torch.zeros(1, 8))] * 4)
MODULE = SimpleNamespace(device=torch.device("cpu"))


def _train(cost, trainer, clock, *, batches, seconds):
    for _ in range(batches):
        clock.now += seconds
        trainer.global_step += 1
        cost.on_train_batch_end(trainer, MODULE, None, BATCH, 0)


def _validate(cost, trainer, clock, seconds):
    cost.on_validation_start(trainer, MODULE)
    clock.now += seconds
    cost.on_validation_end(trainer, MODULE)


def _written(tmp_path):
    return json.loads((tmp_path / "cost.json").read_text())


def test_validations_are_counted_apart(tmp_path, clock):
    cost, trainer = TrainingCost(), _trainer(tmp_path)
    _validate(cost, trainer, clock, 50)  # the sanity check is not part of a training
    clock.now += 1000
    cost.on_train_start(trainer, MODULE)
    for _ in range(2):
        _train(cost, trainer, clock, batches=3, seconds=2)
        _validate(cost, trainer, clock, 5)
    _train(cost, trainer, clock, batches=1, seconds=0.5)
    cost.on_fit_end(trainer, MODULE)
    found = _written(tmp_path)
    assert list(found) == KEYS
    assert (found["training_seconds"], found["validation_seconds"]) == (12.5, 10.0)
    assert (found["steps"], found["clips"], found["frames"]) == (7, 7 * 4 * 2, 7 * 4 * 2 * 8)
    assert found["peak_device_bytes"] is None


def test_an_interrupted_training_goes_on_counting(tmp_path, clock):
    """What came after the checkpoint is lost, as its steps are; the pause does not count."""
    first, trainer = TrainingCost(), _trainer(tmp_path)
    first.on_train_start(trainer, MODULE)
    _train(first, trainer, clock, batches=3, seconds=2)
    _validate(first, trainer, clock, 5)
    saved = json.loads(json.dumps(first.state_dict()))  # a copy, as a checkpoint has one
    _train(first, trainer, clock, batches=2, seconds=2)
    clock.now += 1e6
    second, trainer = TrainingCost(), _trainer(tmp_path, step=3)
    second.load_state_dict(saved)
    clock.now += 60  # loading
    second.on_train_start(trainer, MODULE)
    _train(second, trainer, clock, batches=4, seconds=1)
    second.on_fit_end(trainer, MODULE)
    found = _written(tmp_path)
    assert (found["training_seconds"], found["validation_seconds"]) == (10.0, 5.0)
    assert (found["steps"], found["clips"], found["frames"]) == (7, 7 * 4 * 2, 7 * 4 * 2 * 8)


def test_saving_twice_counts_once(tmp_path, clock):
    cost, trainer = TrainingCost(), _trainer(tmp_path)
    cost.state_dict()
    cost.on_train_start(trainer, MODULE)
    _train(cost, trainer, clock, batches=1, seconds=3)
    assert cost.state_dict()["seconds"] == cost.state_dict()["seconds"] == {"training": 3.0, "validation": 0.0}
    _train(cost, trainer, clock, batches=1, seconds=3)
    cost.on_fit_end(trainer, MODULE)
    assert _written(tmp_path)["training_seconds"] == 6.0


def test_the_peak_is_that_of_the_process_that_needed_most(tmp_path, clock):
    cost, trainer = TrainingCost(), _trainer(tmp_path)
    own = cost.state_dict()["process_peak"]
    assert own is None or own > 10**7
    cost.load_state_dict({**cost.state_dict(), "process_peak": 2**50, "peak": 7})
    cost.on_train_start(trainer, MODULE)
    cost.on_fit_end(trainer, MODULE)
    assert _written(tmp_path)["peak_process_bytes"] == 2**50
    assert _written(tmp_path)["peak_device_bytes"] == 7


def test_one_process_writes(tmp_path, clock):
    cost, trainer = TrainingCost(), _trainer(tmp_path)
    trainer.is_global_zero = False
    cost.on_train_start(trainer, MODULE)
    cost.on_fit_end(trainer, MODULE)
    assert not list(tmp_path.iterdir())


def test_a_real_training_in_two_parts(videogn, motion, tmp_path):
    """Two batches of 4 an epoch, accumulated to one step; resumed in another folder."""
    more = ["--data.batch_size=4", "--trainer.accumulate_grad_batches=2"]
    started = time.monotonic()
    assert videogn(*fit_arguments(motion, tmp_path / "a", *more)) == 0
    last = tmp_path / "a" / "checkpoints" / "last.ckpt"
    resumed = fit_arguments(motion, tmp_path / "b", *more, "--trainer.max_epochs=3", f"--ckpt_path={last}")
    assert videogn(*resumed) == 0
    whole = time.monotonic() - started
    first, second = (_written(tmp_path / name) for name in "ab")
    assert [(cost["steps"], cost["clips"]) for cost in (first, second)] == [(1, 8), (3, 24)]
    assert 0 < first["training_seconds"] < second["training_seconds"] < whole
    assert 0 < first["validation_seconds"] < second["validation_seconds"] < whole
    assert second["peak_device_bytes"] is None
    assert torch.load(last, weights_only=True)["callbacks"]["TrainingCost"]["counts"] == {
        "steps": 1,
        "clips": 8,
        "frames": 32,
    }


def test_a_training_that_was_over_when_it_was_killed(videogn, motion, trained, tmp_path):
    """Killed between its last checkpoint and its end: it goes on, finds nothing left to do, and says what it cost."""
    last = trained / "checkpoints" / "last.ckpt"
    assert videogn(*fit_arguments(motion, tmp_path, f"--ckpt_path={last}")) == 0
    assert _written(tmp_path)["steps"] == 2
