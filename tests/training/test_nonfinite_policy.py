"""What is no matter of a whole `fit`: 16 bits with a loss scale, answers that come a step later, numbers in general."""

from __future__ import annotations

from types import SimpleNamespace

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.plugins import MixedPrecision
from lightning.pytorch.trainer.states import TrainerFn
from torch import nn

from videogn.axes import Batch, Sample
from videogn.training import nonfinite_policy
from videogn.training.finite import all_finite
from videogn.training.nonfinite_policy import NonfinitePolicy

CPU = torch.device("cpu")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 0.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_finite_is_what_it_says(value, dtype):
    """Whose squares overflow is finite; integers and empty tensors are; NaN counts wherever it is."""
    tensors = [torch.zeros(5, dtype=dtype), torch.tensor(7), torch.ones(2, 0), torch.ones(3, dtype=torch.float32)]
    tensors[0][3] = value
    expected = bool(torch.isfinite(torch.tensor(value)))
    assert bool(all_finite(tensors, CPU)) is bool(all_finite(tensors[::-1], CPU)) is expected
    assert bool(all_finite([torch.tensor(7)], CPU))


def test_an_unknown_policy():
    with pytest.raises(ValueError, match="nonfinite must be one of stop, skip, got 'skp'; did you mean 'skip'"):
        NonfinitePolicy("skp")  # type: ignore[arg-type]


class _Toy(pl.LightningModule):
    """A weight in 16 bits: its gradient is `slope` times the loss scale, the loss `slope` times the weight."""

    def __init__(self, slopes, policy):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.slopes, self.policy = slopes, policy
        self.weights = []

    def train_dataloader(self):
        sample = SimpleNamespace(path="a.mp4")
        batches = [SimpleNamespace(samples=[sample], slope=slope) for slope in self.slopes]
        return torch.utils.data.DataLoader(batches, collate_fn=lambda batch: batch[0])

    def training_step(self, batch, batch_index):
        return (self.weight.half() * torch.tensor([batch.slope]).half()).float().sum()

    def on_train_batch_end(self, *_):
        self.weights.append(self.weight.item())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.25)


def _train(slopes, policy, *, scaled=True):
    toy = _Toy(slopes, policy)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**16)
    options = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    plugins = [MixedPrecision("16-mixed", "cpu", scaler)] if scaled else []
    pl.Trainer(max_epochs=1, enable_checkpointing=False, callbacks=[policy], plugins=plugins, **options).fit(toy)
    return toy.weights


@pytest.mark.parametrize("name", ["stop", "skip"])
def test_an_infinite_gradient_of_a_finite_loss_is_left_to_the_loss_scale(name):
    """2 x 2^16 and 2 x 2^15 overflow 16 bits: the scaler halves the scale twice, and the third step is made."""
    policy = NonfinitePolicy(name)
    assert _train([2.0] * 4, policy) == [1.0, 1.0, 0.5, 0.0]
    assert policy.state_dict()["in_all"] == 0


def test_a_loss_that_is_not_finite_stops_under_a_loss_scale_too():
    with pytest.raises(FloatingPointError, match=r"loss is nan at step 4 \(epoch 0, learning rate 0.25\).*of a\.mp4;"):
        _train([2.0, 2.0, 2.0, float("nan"), 2.0], NonfinitePolicy())


def test_it_is_skipped_under_a_loss_scale_too():
    policy = NonfinitePolicy("skip")
    assert _train([2.0, 2.0, 2.0, float("nan"), 2.0], policy) == [1.0, 1.0, 0.5, 0.5, 0.0]
    assert policy.state_dict()["in_all"] == 1


def test_a_loss_scale_that_falls_for_ever_stops():
    """Where a gradient is infinite in truth: 2^16 is 2^-24 after 40 halvings."""
    with pytest.raises(FloatingPointError, match=r"not been finite for many steps \(step 42\).*bf16-mixed"):
        _train([1.0] * 100, _NoScaleHelps())


class _NoScaleHelps(NonfinitePolicy):
    def on_after_backward(self, trainer, pl_module):
        pl_module.weight.grad.fill_(float("inf"))


@pytest.mark.parametrize("at", [0, 2])
def test_an_infinite_gradient_of_a_finite_loss_stops_without_a_loss_scale(at):
    class Infinite(NonfinitePolicy):
        def on_after_backward(self, trainer, pl_module):
            if trainer.global_step == at:
                pl_module.weight.grad.fill_(float("inf"))

    with pytest.raises(FloatingPointError, match=rf"the gradient is not finite at step {at + 1} .*of a\.mp4;"):
        _train([2.0] * 4, Infinite(), scaled=False)


@pytest.fixture
def later(monkeypatch):
    """Answers that are read one step later, as on CUDA."""
    monkeypatch.setattr(nonfinite_policy, "_read_later", _with_an_event)


def _with_an_event(step):
    step.ready = SimpleNamespace(synchronize=lambda: None)
    return step


@pytest.mark.usefixtures("later")
@pytest.mark.parametrize("bad", [1, 3])
def test_an_answer_that_comes_later_names_its_own_step(bad):
    """Before the next step, or at the end of the epoch where there is none."""
    slopes = [1.0] * 4
    slopes[bad] = float("nan")
    with pytest.raises(FloatingPointError, match=rf"at step {bad + 1} "):
        _train(slopes, NonfinitePolicy(), scaled=False)


@pytest.mark.usefixtures("later")
def test_no_checkpoint_comes_before_the_answer():
    class Saving(NonfinitePolicy):
        def on_train_batch_end(self, trainer, pl_module, *rest):
            super().on_train_batch_end(trainer, pl_module, *rest)
            self.check_weights(pl_module.state_dict(), trainer.global_step)

    with pytest.raises(FloatingPointError, match="the loss is nan at step 2 "):
        _train([1.0, float("nan"), 1.0], Saving(), scaled=False)


@pytest.mark.parametrize("here", [True, False])
def test_a_validation_of_its_own_stops_in_all_processes(monkeypatch, here):
    """At its end and with one line, whether the batch was this process's or the other's."""
    monkeypatch.setattr(nonfinite_policy, "world_size", lambda: 2)
    monkeypatch.setattr(nonfinite_policy, "of_all_processes", lambda own: [own, [] if here else ["b.mp4"]])
    trainer = SimpleNamespace(state=SimpleNamespace(fn=TrainerFn.VALIDATING))
    policy = NonfinitePolicy()
    policy.on_validation_start(trainer, None)
    if here:
        policy.refuse_validation(trainer, Batch([Sample(0, "b.mp4", 1)], []))
    line = r"^the network gave logits that are not finite \(NaN or infinity\) in the validation, for b\.mp4; "
    with pytest.raises(FloatingPointError, match=line):
        policy.on_validation_epoch_end(trainer, None)
    policy.on_validation_start(trainer, None)
    monkeypatch.setattr(nonfinite_policy, "of_all_processes", lambda own: [own, []])
    policy.on_validation_epoch_end(trainer, None)


def test_infinities_of_a_mask_are_no_fault():
    """A buffer that begins with them may keep them."""
    policy = NonfinitePolicy()
    module = pl.LightningModule()
    module.register_buffer("mask", torch.tensor([0.0, -float("inf")]))
    module.register_buffer("mean", torch.zeros(2))
    policy.on_train_start(None, module)
    policy.check_weights(module.state_dict(), 1)
    module.mean[1] = float("inf")
    with pytest.raises(FloatingPointError, match="the weights are not finite after step 1"):
        policy.check_weights(module.state_dict(), 1)
