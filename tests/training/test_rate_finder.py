"""The range test of learning rates."""

from __future__ import annotations

import math

import lightning.pytorch as pl
import numpy as np
import pytest
import torch

from videogn.report.rate_figure import plot_rates
from videogn.training.callbacks.rate_finder import HIGHEST, LOWEST, STEPS, RateFinder, suggest_rate
from videogn.training.optimisation import Optimisation

RATES = np.geomspace(1e-6, 10, 100)


def _losses(noise=0.02):
    """Falls fastest over log10 at 1e-3, by 1; diverges from 0.1 on."""
    decades = np.log10(RATES)
    losses = 2 - 1 / (1 + np.exp(-4 * (decades + 3))) + np.exp(np.minimum(6 * (decades + 1), 20))
    return losses + np.random.default_rng(0).normal(0, noise, 100)


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.1])
def test_it_suggests_where_the_loss_falls_fastest(noise):
    found = suggest_rate(RATES, _losses(noise))
    assert math.log10(RATES[found.steepest]) == pytest.approx(-3, abs=0.3)
    assert 1e-3 < RATES[found.lowest] < 0.1


def test_steps_after_a_loss_that_is_not_finite_do_not_count():
    losses = _losses()
    losses[70] = math.nan
    found = suggest_rate(RATES, losses)
    assert len(found.smooth) == 70
    assert RATES[found.steepest] == pytest.approx(1e-3, rel=1)


@pytest.mark.parametrize("losses", [np.random.default_rng(1).normal(2, 0.1, 100), np.linspace(1, 9, 100)])
def test_a_loss_that_does_not_fall(losses):
    assert suggest_rate(RATES, losses).steepest is None


def test_too_few_steps():
    with pytest.raises(ValueError, match="needs at least 10 steps with a finite loss, got 3"):
        suggest_rate(RATES, [2.0, 2.0, 2.0, math.inf, 2.0])


class _Toy(pl.LightningModule):
    """A parabola: with lr > 2 it diverges."""

    def __init__(self):
        super().__init__()
        self.stem, self.head = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1)
        self.seen, self.losses = [], []

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.arange(8.0)[:, None] / 8)

    def training_step(self, batch, index):
        loss = (self.head(self.stem(batch)) - 3).square().sum()
        self.losses.append(loss.item())
        return loss

    def on_before_optimizer_step(self, optimizer):
        self.seen.append([group["lr"] for group in optimizer.param_groups])

    def configure_optimizers(self):
        optimizer = Optimisation(layer_decay=0.5, momentum=0).make_optimizer(self, 4)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": _constant(optimizer), "interval": "step"}}


def _constant(optimizer):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)


@pytest.mark.parametrize("accumulate", [1, 2, 3])  # with 3, the third step of an epoch of 8 batches has 2
def test_every_step_has_its_rate_and_its_loss(accumulate):
    finder, toy = RateFinder(), _Toy()
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    trainer = pl.Trainer(
        max_steps=STEPS,
        max_epochs=-1,
        accumulate_grad_batches=accumulate,
        callbacks=[finder],
        enable_checkpointing=False,
        **quiet,
    )
    trainer.fit(toy)
    steps = len(finder.losses)
    assert 60 < steps < STEPS  # until it diverges
    rates = [LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)) for step in range(steps)]
    assert finder.rates == pytest.approx(rates)
    assert [rates[0] for rates in toy.seen] == pytest.approx(rates)  # the head's weights
    assert [rates[-1] for rates in toy.seen] == pytest.approx([rate / 2 for rate in rates])  # the stem's biases
    of_epoch = (*range(accumulate, 8, accumulate), 8)
    ends = [8 * epoch + end for epoch in range(STEPS) for end in of_epoch]
    means = [np.mean(losses) for losses in np.split(toy.losses, ends)[:steps]]
    np.testing.assert_allclose(finder.losses, means, rtol=1e-5)


def test_the_picture(tmp_path):
    found = suggest_rate(RATES, _losses())
    for chosen in (found.steepest, None):
        path = plot_rates(RATES, _losses(), found.smooth, chosen, tmp_path / f"{chosen}.png")
        assert path.read_bytes().startswith(b"\x89PNG")
