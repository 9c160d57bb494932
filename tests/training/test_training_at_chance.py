"""The warning of a training run at chance: when it comes, when not, and what chance is."""

from __future__ import annotations

import logging
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from videogn.training.callbacks import TrainingAtChance
from videogn.training.callbacks.training_at_chance import Window, at_chance
from videogn.training.objective import Objective

LN6 = math.log(6)
STEPS = 200


class _Run:
    """A training run of given losses, as far as the callback looks at it."""

    def __init__(self, caplog, *, classes=6, labels=None, total=STEPS, optimizer=None, objective=None, accumulate=1):
        self.caplog, self.accumulate = caplog, accumulate
        caplog.set_level(logging.WARNING)
        rng = np.random.default_rng(0)
        self.labels = labels or (lambda: rng.integers(0, classes, 8))
        self.trainer = SimpleNamespace(
            is_global_zero=True,
            accumulate_grad_batches=accumulate,
            global_step=0,
            estimated_stepping_batches=total,
            callbacks=[],
        )
        self.task = SimpleNamespace(
            class_names=[str(number) for number in range(classes)],
            objective=objective or Objective(),
            settings=SimpleNamespace(optimizer=optimizer),
        )
        self.callback = TrainingAtChance()

    def train(self, losses):
        for loss in losses:
            for number in range(self.accumulate):
                batch = SimpleNamespace(samples=[SimpleNamespace(label=int(label)) for label in self.labels()])
                self.trainer.global_step += number == self.accumulate - 1
                outputs = {"loss": torch.tensor(loss / self.accumulate)}
                self.callback.on_train_batch_end(self.trainer, self.task, outputs, batch, 0)
        return self

    @property
    def warnings(self):
        return [record.getMessage() for record in self.caplog.records if "chance" in record.getMessage()]


def _noisy(values, noise=0.1, seed=0):
    return np.asarray(values) + np.random.default_rng(seed).normal(0, noise, len(values))


def _linear(first, last, steps=STEPS):
    return np.linspace(first, last, steps)


_AT_CHANCE = {
    "constant": _noisy(np.full(STEPS, LN6), 0.02),
    "noisy": _noisy(np.full(STEPS, LN6 + 0.02), 0.3),
    "overshoots, then rests at chance": _noisy(LN6 + 6 * np.exp(-np.arange(STEPS) / 8), 0.02),
    "one class is answered, loss above chance": _noisy(np.full(STEPS, 2.3), 0.1),
    "learns, then collapses": np.concatenate([_linear(LN6, 0.8, 100), _noisy(np.full(100, LN6), 0.02)]),
}
_LEARNING = {
    "fast": LN6 * np.exp(-np.arange(STEPS) / 60),
    "slow: a tenth in the whole run": _noisy(_linear(LN6, 0.9 * LN6), 0.02),
    "slow and noisy": _noisy(_linear(LN6, 0.75 * LN6), 0.2),
    "a warm-up, then learning": _noisy(np.minimum(LN6, LN6 * (1.15 - np.arange(STEPS) / STEPS)), 0.05),
    "overshoots, then learns": _noisy(1.2 + 6 * np.exp(-np.arange(STEPS) / 20), 0.1),
    "still above chance, and falling": _noisy(_linear(4.0, 1.0), 0.1),
    "not finite": np.full(STEPS, np.nan),
}


@pytest.mark.parametrize("curve", _AT_CHANCE.values(), ids=_AT_CHANCE)
def test_a_run_at_chance_is_warned_of_once(caplog, curve):
    (message,) = _Run(caplog).train(curve).warnings
    assert "--config from_scratch" in message
    assert "\n" not in message


@pytest.mark.parametrize("curve", _LEARNING.values(), ids=_LEARNING)
def test_a_run_that_learns_is_not(caplog, curve):
    assert _Run(caplog).train(curve).warnings == []


@pytest.mark.parametrize("seed", range(10))
def test_slow_and_noisy_over_seeds(caplog, seed):
    assert _Run(caplog).train(_noisy(_linear(LN6, 0.8 * LN6), 0.1, seed)).warnings == []


@pytest.mark.parametrize(("total", "first"), [(200, 100), (1000, 500), (8000, 2400), (60, 40), (39, None), (10, None)])
def test_it_comes_after_its_part_of_the_run_and_not_in_very_short_ones(caplog, total, first):
    run = _Run(caplog, total=total)
    for step in range(1, total + 1):
        run.train([LN6])
        assert bool(run.warnings) == (first is not None and step >= first)


@pytest.mark.parametrize(("loss", "warned"), [(0.33, True), (0.29, False), (math.log(2), True)])
def test_chance_is_that_of_the_actual_classes(caplog, loss, warned):
    nine_to_one = iter(np.tile([0] * 9 + [1], STEPS * 2))  # entropy 0.325, where ln 2 is 0.693
    run = _Run(caplog, classes=2, labels=lambda: [next(nine_to_one) for _ in range(8)])
    assert bool(run.train(np.full(STEPS, loss)).warnings) == warned


@pytest.mark.parametrize("classes", [1, 6])
def test_one_class_is_no_question(caplog, classes):
    assert _Run(caplog, classes=classes, labels=lambda: [0] * 8).train(np.full(STEPS, 0.01)).warnings == []


@pytest.mark.parametrize("objective", [Objective(focal_gamma=2), Objective(class_weights=torch.ones(6))])
def test_it_is_silent_where_chance_is_not_known(caplog, objective):
    assert _Run(caplog, objective=objective).train(np.full(STEPS, 5.0)).warnings == []


def test_accumulated_batches_are_divided_losses(caplog):
    assert len(_Run(caplog, accumulate=4).train(np.full(STEPS, LN6)).warnings) == 1
    caplog.clear()
    assert _Run(caplog, accumulate=4).train(np.full(STEPS, LN6 / 2)).warnings == []


def test_another_optimiser_is_not_told_to_be_changed(caplog):
    (message,) = _Run(caplog, optimizer=object()).train(np.full(STEPS, LN6)).warnings
    assert "from_scratch" not in message
    assert "--model.lr" in message


@pytest.mark.parametrize("stop", [1, 30, 99, 100, 101, 150])
@pytest.mark.parametrize("curve", [*_AT_CHANCE.values(), _LEARNING["slow and noisy"]])
def test_a_resumed_run_warns_when_an_uninterrupted_one_does(caplog, stop, curve):
    whole = _Run(caplog).train(curve).warnings
    caplog.clear()
    first = _Run(caplog).train(curve[:stop])
    second = _Run(caplog, labels=first.labels)
    second.trainer.global_step = stop
    second.callback.load_state_dict(first.callback.state_dict())
    assert second.train(curve[stop:]).warnings == whole


def test_other_processes_are_silent(caplog):
    run = _Run(caplog)
    run.trainer.is_global_zero = False
    assert run.train(np.full(STEPS, LN6)).warnings == []


def test_it_takes_two_windows_and_a_significant_fall_is_progress():
    assert at_chance(Window(1.8, 0.01), Window(1.81, 0.01), LN6)
    assert not at_chance(Window(1.8, 0.01), Window(1.85, 0.01), LN6)
    assert not at_chance(Window(1.8, 0.01), Window(1.7, 0.01), LN6)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("mixed", [False, True])
def test_chance_is_the_least_loss_of_a_constant_answer(smoothing, mixed):
    rng = torch.Generator().manual_seed(0)
    labels = torch.multinomial(torch.tensor([0.5, 0.3, 0.15, 0.05]), 400, replacement=True, generator=rng)
    targets = F.one_hot(labels, 4).double()
    if mixed:  # every clip with another one, as in mixup
        targets = 0.7 * targets + 0.3 * targets.roll(1, 0)
    answer = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS([answer], lr=1, max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        search.zero_grad()
        value = F.cross_entropy(answer.expand(400, 4), targets, label_smoothing=smoothing)
        value.backward()
        return value

    search.step(loss)
    chance = Objective(label_smoothing=smoothing).chance(labels.bincount(minlength=4))
    assert chance == pytest.approx(loss().item(), abs=1e-6)
