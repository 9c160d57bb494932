"""The average of the weights against a loop in float64, through validations, checkpoints and bad ends."""

from __future__ import annotations

import lightning.pytorch as pl
import numpy as np
import pytest
import torch
from lightning.pytorch import Callback
from torch import nn
from torch.nn import functional as F

from videogn.training.callbacks.checkpoints import RunCheckpoint
from videogn.training.callbacks.weight_average import WeightAverage
from videogn.training.optimisation import Optimisation

DECAY = 0.7


class _Toy(pl.LightningModule):
    """A layer and a BatchNorm, which note their values after every optimiser step and in every validation."""

    def __init__(self, decay=DECAY, fail_in_validation_of=None):
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
        self.decay, self.fail_in_validation_of = decay, fail_in_validation_of
        self.steps, self.validated = [], []

    def configure_callbacks(self):
        return Optimisation(ema=self.decay).callbacks("val/top1")

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.randn(16, 3, generator=torch.Generator().manual_seed(1)), batch_size=4)

    def val_dataloader(self):
        return torch.utils.data.DataLoader(torch.randn(4, 3, generator=torch.Generator().manual_seed(2)), batch_size=4)

    def training_step(self, batch, index):
        return F.cross_entropy(self.net(batch), (batch[:, 0] > 0).long())

    def on_train_batch_end(self, *_):
        if len(self.steps) < self.trainer.global_step:
            self.steps.append(_values(self))

    def validation_step(self, batch, index):
        self.validated.append(_values(self))
        if self.current_epoch == self.fail_in_validation_of:
            raise KeyError("a bad end")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.5)


def _values(module):
    return {name: value.detach().clone() for name, value in module.net.state_dict().items()}


def _fit(toy, folder, *, epochs=2, accumulate=1, ckpt_path=None, callbacks=(), precision="32-true"):
    checkpoint = RunCheckpoint(dirpath=folder, monitor=None, save_last=True, save_on_exception=True)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accumulate_grad_batches=accumulate,
        callbacks=[*callbacks, checkpoint],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        accelerator="cpu",
        precision=precision,
    )
    trainer.fit(toy, ckpt_path=ckpt_path)
    return toy


def _loop(steps):
    """The definition, in float64; integers are those of the last step."""
    averages = {name: value.double().numpy() for name, value in steps[0].items()}
    for step in steps[1:]:
        for name, value in step.items():
            number = value.double().numpy()
            floating = value.is_floating_point()
            averages[name] = DECAY * averages[name] + (1 - DECAY) * number if floating else number
    return averages


def _assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name, value in found.items():
        np.testing.assert_allclose(value.double().numpy(), expected[name], rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_it_is_its_definition_wherever_it_is_used(tmp_path, accumulate):
    toy = _fit(_Toy(), tmp_path, accumulate=accumulate)
    per_epoch = 4 // accumulate
    assert len(toy.steps) == 2 * per_epoch
    for epoch, validated in enumerate(toy.validated):
        _assert_close(validated, _loop(toy.steps[: (epoch + 1) * per_epoch]))
    _assert_close(_values(toy), _loop(toy.steps))  # at the end of the fit
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    strip = {
        kind: {name[4:]: value for name, value in saved[kind].items()} for kind in ("state_dict", "current_model_state")
    }
    _assert_close(strip["state_dict"], _loop(toy.steps))
    assert all(torch.equal(value, toy.steps[-1][name]) for name, value in strip["current_model_state"].items())
    assert toy.steps[-1]["1.num_batches_tracked"] == 8


def test_weights_of_64_bits_have_an_average_of_64_bits(tmp_path):
    toy = _fit(_Toy(), tmp_path, precision="64-true")
    assert toy.steps[-1]["0.weight"].dtype == torch.float64
    expected = _loop(toy.steps)
    for name, value in _values(toy).items():
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-13, atol=1e-15, err_msg=name)
    again = _fit(_Toy(), tmp_path / "again", epochs=3, ckpt_path=tmp_path / "last.ckpt", precision="64-true")
    assert _values(again)["0.weight"].dtype == torch.float64


@pytest.mark.parametrize(("precision", "instead"), [("bf16-true", "bf16-mixed"), ("16-true", "16-mixed")])
def test_sixteen_bits_keep_no_average(tmp_path, precision, instead):
    """With a decay of 0.999 a step moves the average by less than half of what they tell apart."""
    with pytest.raises(ValueError, match=f"^ema must be null with precision {precision}; {instead} keeps an average$"):
        _fit(_Toy(), tmp_path, precision=precision)


def test_training_is_that_without_an_average(tmp_path):
    one, other = (_fit(_Toy(decay), tmp_path / str(decay)) for decay in (DECAY, None))
    for step, same in zip(one.steps, other.steps, strict=True):
        assert all(torch.equal(value, same[name]) for name, value in step.items())
    assert not torch.equal(one.net[0].weight, other.net[0].weight)


@pytest.mark.parametrize("ends", ["after an epoch", "in a validation"])
def test_a_resumed_run_is_an_uninterrupted_one(tmp_path, ends):
    whole = _fit(_Toy(), tmp_path / "whole", epochs=3)
    if ends == "after an epoch":
        _fit(_Toy(), tmp_path / "part", epochs=2)
    else:
        with pytest.raises(KeyError, match="a bad end"):
            _fit(_Toy(fail_in_validation_of=1), tmp_path / "part", epochs=3)
    rest = _fit(_Toy(), tmp_path / "rest", epochs=3, ckpt_path=tmp_path / "part" / "last.ckpt")
    one, other = (torch.load(tmp_path / run / "last.ckpt", weights_only=True) for run in ("whole", "rest"))
    assert one["averaging_state"] == other["averaging_state"] == {"n_averaged": 12}
    for kind in ("state_dict", "current_model_state"):
        assert all(torch.equal(value, other[kind][name]) for name, value in one[kind].items())
    assert all(torch.equal(value, rest.validated[-1][name]) for name, value in whole.validated[-1].items())


def test_it_begins_in_a_run_that_had_none(tmp_path):
    _fit(_Toy(None), tmp_path / "part", epochs=1)
    toy = _fit(_Toy(), tmp_path / "rest", ckpt_path=tmp_path / "part" / "last.ckpt")
    _assert_close(_values(toy), _loop(toy.steps[-4:]))


class _Measures(Callback):
    """Sees and changes statistics before a validation, as precise statistics do."""

    def on_validation_epoch_start(self, trainer, pl_module):
        self.seen = _values(pl_module)
        pl_module.net[1].running_mean.fill_(7.0)


def test_callbacks_that_come_first_measure_the_average(tmp_path):
    """Whose statistics are then those of the average, not of the training."""
    measures = _Measures()
    toy = _fit(_Toy(), tmp_path, epochs=1, callbacks=[measures])
    _assert_close(measures.seen, _loop(toy.steps))
    saved = torch.load(tmp_path / "last.ckpt", weights_only=True)
    assert saved["state_dict"]["net.1.running_mean"].tolist() == [7.0] * 4
    assert torch.equal(saved["current_model_state"]["net.1.running_mean"], toy.steps[-1]["1.running_mean"])


def test_frozen_weights_stay_to_the_bit():
    average = WeightAverage(0.999)
    toy = _Toy()
    average.setup(pl.Trainer(logger=False, accelerator="cpu", enable_checkpointing=False), toy, "fit")
    for _ in range(100):
        average._average_model.update_parameters(toy)
    assert torch.equal(average._average_model.module.net[0].weight, toy.net[0].weight)


@pytest.mark.parametrize(
    ("decay", "steps", "end"),
    [
        (0.99, 1000, "use it"),
        (0.99, float("inf"), "use it"),
        (0.999, 1000, "; long for a run of 1000 steps, try 0.99"),
    ],
)
def test_the_line(decay, steps, end, caplog):
    trainer = type("Trainer", (), {"is_global_zero": True, "estimated_stepping_batches": steps})()
    with caplog.at_level("INFO"):
        WeightAverage(decay).on_train_start(trainer, None)
    (line,) = caplog.messages
    assert line.startswith(f"EMA of the weights, decay {decay}, over about {round(1 / (1 - decay))} steps: validation")
    assert line.endswith(end)
