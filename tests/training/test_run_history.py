"""What a run has come to is collected as it is, over interruptions too."""

from __future__ import annotations

import math

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from videogn.report.training_curve import plot_training
from videogn.training.callbacks import RunHistory
from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.history import History, Stretch, Validation

BATCHES = 25


class _Scripted(pl.LightningModule):
    """A run of known losses and rates."""

    def __init__(self, error_at=None):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.error_at, self.losses = error_at, {}

    def training_step(self, batch, index):
        number = self.current_epoch * BATCHES + index
        if number == self.error_at:
            raise ValueError("the end")
        loss = self.weight * 0 + math.sin(number)
        self.losses[number] = float(loss)
        return loss

    def validation_step(self, batch, index):
        self.log_dict({"val/top1": 0.25 * self.current_epoch, "val/loss": 2.0, "val/failed": 3.0, "other": 1.0})

    def configure_optimizers(self):
        optimizer = torch.optim.SGD(self.parameters(), lr=0.5)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.99**step)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _fit(folder, *, resume=None, error_at=None, **options):
    history, task = RunHistory(), _Scripted(error_at)
    trainer = pl.Trainer(
        callbacks=[history, RunCheckpoint(dirpath=folder, save_last=True, save_on_exception=True)],
        logger=False,
        accelerator="cpu",
        enable_progress_bar=False,
        enable_model_summary=False,
        **{"max_epochs": 2, **options},
    )
    loader = DataLoader(list(range(BATCHES)), batch_size=1)
    trainer.fit(task, loader, DataLoader([0], batch_size=1), ckpt_path=resume)
    return history.history, task.losses


@pytest.mark.parametrize("accumulated", [1, 4])
def test_means_of_tenths_of_an_epoch(tmp_path, accumulated):
    history, losses = _fit(tmp_path, accumulate_grad_batches=accumulated)
    ends = [math.ceil(part * BATCHES / 10) + epoch * BATCHES for epoch in (0, 1) for part in range(1, 11)]
    for stretch, begin, end in zip(history.stretches, [0, *ends[:-1]], ends, strict=True):
        assert stretch.epoch == pytest.approx(end / BATCHES)
        assert stretch.loss == pytest.approx(sum(losses[n] for n in range(begin, end)) / (end - begin), abs=1e-6)
    if accumulated == 1:
        assert [stretch.rate for stretch in history.stretches] == pytest.approx([0.5 * 0.99**end for end in ends])
    assert [validation.epoch for validation in history.validations] == [1.0, 2.0]
    assert history.validations[1].values == {"val/top1": 0.25, "val/loss": 2.0, "val/failed": 3.0}
    assert history.accuracies == ["val/top1"]
    assert history.best("val/top1") is history.validations[1]


def test_a_run_that_ends_inside_an_epoch(tmp_path):
    history, losses = _fit(tmp_path, max_epochs=-1, max_steps=4)
    assert [stretch.epoch for stretch in history.stretches] == pytest.approx([3 / 25, 4 / 25])
    assert history.stretches[1].loss == pytest.approx(losses[3])


@pytest.mark.parametrize("error_at", [7, 10, 26, 31])
def test_a_run_that_goes_on_has_all_of_it(tmp_path, error_at):
    whole, _ = _fit(tmp_path / "whole")
    with pytest.raises(ValueError, match="the end"):
        _fit(tmp_path / "one", error_at=error_at)
    again, _ = _fit(tmp_path / "two", resume=tmp_path / "one" / "last.ckpt")
    assert [stretch.epoch for stretch in again.stretches] == [stretch.epoch for stretch in whole.stretches]
    assert again.validations == whole.validations


def test_no_number_is_best():
    history = History((), [Validation(1.0, {"val/top1": math.nan}), Validation(2.0, {"val/loss": 1.0})])
    assert history.best("val/top1") is None
    ties = History((), [Validation(float(n), {"val/top1": value}) for n, value in enumerate((0.1, 0.5, 0.5))])
    assert ties.best("val/top1").epoch == 1.0
    assert ties.best("val/top1", largest=False).epoch == 0.0


@pytest.mark.parametrize("validations", [[], [Validation(1.0, {"val/top1": math.nan, "val/loss": math.inf})]])
def test_a_curve_of_anything(tmp_path, validations):
    stretches = [Stretch(0.5, math.nan, 0.1), Stretch(1.0, math.inf, 0.1)]
    assert plot_training(History(stretches, validations), tmp_path / "curve.png").stat().st_size > 1000
