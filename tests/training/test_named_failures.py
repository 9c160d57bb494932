"""How often processes tell one another of failures, and that all of them end at once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from videogn.axes import Batch, Sample
from videogn.data.failures import Failures
from videogn.training import failure_policy
from videogn.training.callbacks.batches import StatisticsCallback
from videogn.training.failure_policy import FailurePolicy


@pytest.fixture
def exchanges(monkeypatch):
    """Two processes, of which the other one never fails; returns the counts that were exchanged."""
    counts = []

    monkeypatch.setattr(failure_policy, "world_size", lambda: 2)
    monkeypatch.setattr("videogn.system.ranks.world_size", lambda: 2)
    monkeypatch.setattr(failure_policy.distributed, "all_reduce", lambda count: counts.append(int(count)))
    monkeypatch.setattr(failure_policy, "of_all_processes", lambda own: [own, []])
    return counts


def _policy(expected):
    policy = FailurePolicy()
    data = SimpleNamespace(failures=lambda split: Failures("training", expected, 0.01))
    policy.setup(SimpleNamespace(datamodule=data), None, "fit")
    return policy


def _failed(*paths):
    return Batch(samples=[], failed=[Sample(0, path, 0, error="empty") for path in paths])


def test_one_exchange_in_ten_steps(exchanges, tmp_path):
    policy = _policy(expected=100)
    trainer = SimpleNamespace(is_global_zero=True, log_dir=str(tmp_path), global_step=0)
    module = SimpleNamespace(device=torch.device("cpu"))
    for step in range(15):
        trainer.global_step = step
        policy.on_train_batch_start(trainer, module, _failed("a.mp4") if step == 4 else _failed(), step)
    assert exchanges == [1]
    # The checkpoint of step 10 knows all failures up to it.
    assert policy.state_dict()["reasons"] == {"a.mp4": "empty"}
    policy.on_train_batch_start(trainer, module, _failed("b.mp4"), 15)
    with pytest.raises(ValueError, match="2 of 100 training videos cannot be decoded, at most 1 may"):
        policy.on_train_epoch_end(trainer, module)
    assert exchanges == [1, 1]
    assert "b.mp4" in (tmp_path / "failures.csv").read_text()


def test_failures_beside_the_training_are_named_once(caplog):
    class Loader(list):
        sampler = SimpleNamespace(set_epoch=lambda epoch: None)

    batches = [_failed("a.mp4"), _failed("a.mp4", "b.mp4")]
    strategy = SimpleNamespace(broadcast=lambda seed: seed, batch_to_device=lambda batch: batch)
    data = SimpleNamespace(training_loader=lambda seed: Loader(batches))
    trainer = SimpleNamespace(datamodule=data, strategy=strategy)
    callback = StatisticsCallback("precise BN", num_batches=4)
    for draw in range(2):
        assert list(callback.batches(trainer, draw)) == batches * 2
    assert caplog.messages == [f"precise BN: {name}.mp4: empty; another video takes its place" for name in ("a", "b")]
