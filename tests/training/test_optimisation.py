"""Parameter groups and schedules against the published ones, worked out by hand."""

from __future__ import annotations

import functools
import itertools
import math

import pytest
import torch
from lightning.pytorch.cli import ReduceLROnPlateau

from videogn.models import MODELS, i3d_tiny
from videogn.training.optimisation import Optimisation, dotted_path, scaled_learning_rate
from videogn.training.parameter_groups import parameter_groups
from videogn.training.schedules import make_schedule

STEP = {"milestones": (0.375, 0.75), "gamma": 0.1}


def _names(model, group):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [names[id(parameter)] for parameter in group["params"]]


@pytest.mark.parametrize("arch", ["i3d_r50", "i3d_r50_8x8", "i3d_tiny", "slow_r50"])
def test_groups_are_alike_for_every_norm(arch):
    """The same names in the same order; weights decay, norms' gamma and beta and the classifier's bias do not."""
    groups = {}
    for norm in ("bn", "gn"):
        with torch.device("meta"):
            model = MODELS[arch](norm=norm)
        pair = Optimisation().make_optimizer(model, 64).param_groups
        assert [group["weight_decay"] for group in pair] == [1e-4, 0.0]
        groups[norm] = [_names(model, group) for group in pair]
        assert sorted(itertools.chain(*groups[norm])) == sorted(name for name, _ in model.named_parameters())
    assert groups["bn"] == groups["gn"]
    decayed, plain = groups["gn"]
    assert all(name.endswith("weight") and "norm" not in name for name in decayed)
    assert all("norm" in name or name.endswith("bias") for name in plain)
    if arch != "i3d_tiny":
        assert (len(decayed), len(plain)) == (53 + 1, 2 * 53 + 1)


def test_frozen_parameters_are_left_out():
    model = i3d_tiny()
    model.blocks[0].requires_grad_(False)
    names = [name for group in parameter_groups(model) for name in _names(model, group)]
    assert names
    assert not any(name.startswith("blocks.0.") for name in names)


@pytest.mark.parametrize(
    ("batch", "base", "lr"),
    [(64, 64, 0.01), (32, 64, 0.005), (8, 64, 0.00125), (128, 64, 0.02), (8, None, 0.01)],
)
def test_linear_scaling(batch, base, lr):
    """8 x 8 clips: 0.01; 8 x 4 clips: 0.005."""
    assert scaled_learning_rate(0.01, batch=batch, base_batch=base) == pytest.approx(lr, rel=1e-12)


@pytest.mark.parametrize(
    ("batch", "base", "lr"),
    [(64, 64, 0.01), (16, 64, 0.005), (4, 64, 0.0025), (256, 64, 0.02), (8, None, 0.01)],
)
def test_square_root_scaling(batch, base, lr):
    """A quarter of the clips: half the rate."""
    assert scaled_learning_rate(0.01, batch=batch, base_batch=base, scaling="sqrt") == pytest.approx(lr, rel=1e-12)


@pytest.mark.parametrize("scaling", ["sqr", "Linear", "none"])
def test_an_unknown_scaling(scaling):
    with pytest.raises(ValueError, match=f"scaling must be one of linear, sqrt, got '{scaling}'"):
        scaled_learning_rate(0.01, batch=8, base_batch=None, scaling=scaling)


@pytest.mark.parametrize("value", [float("inf"), float("nan"), -0.1])
def test_a_learning_rate_that_is_none(value):
    with pytest.raises(ValueError, match=f"lr must be >= 0, got {value}"):
        Optimisation(lr=value)


@pytest.mark.parametrize("value", [0, -64])
def test_a_base_batch_that_is_none(value):
    with pytest.raises(ValueError, match=f"base_batch must be > 0, got {value}"):
        Optimisation(base_batch=value)


def _table(name, steps, total_steps, warmup=0.0):
    factor = make_schedule(name, total_steps=total_steps, warmup=warmup, **STEP)
    return [factor(step) for step in steps]


def test_the_published_step_schedule():
    """0.01 to 150k, 0.001 to 300k, 0.0001 to 400k iterations."""
    steps = [0, 1, 149_999, 150_000, 299_999, 300_000, 399_999, 400_000]
    rates = [0.01 * factor for factor in _table("step", steps, 400_000)]
    assert rates == pytest.approx([1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4, 1e-4], rel=1e-12)


def test_twice_as_many_steps_of_half_the_batch_fall_at_the_same_epochs():
    steps = [299_999, 300_000, 599_999, 600_000]
    assert _table("step", steps, 800_000) == pytest.approx([1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("total", [8, 30, 70, 110, 999])
@pytest.mark.parametrize("tenths", [1, 3, 6, 7, 9])
def test_a_milestone_falls_on_the_first_step_at_or_after_it(total, tenths):
    """At ceil(total * tenths / 10), whatever the floats do."""
    factor = make_schedule("step", total_steps=total, warmup=0, milestones=[tenths / 10], gamma=0.5)
    first = -(-total * tenths // 10)
    assert (factor(first - 1), factor(first)) == (1.0, 0.5)


def test_cosine_by_hand():
    """(1 + cos(pi step / total)) / 2, down to 0 at the end and not up again beyond it."""
    found = _table("cosine", [0, 25, 50, 75, 99, 100, 101, 200], 100)
    half = math.sqrt(2) / 4
    assert found == pytest.approx([1, 0.5 + half, 0.5, 0.5 - half, (1 + math.cos(0.99 * math.pi)) / 2, 0, 0, 0])
    assert found[4] > 0


@pytest.mark.parametrize("name", ["step", "cosine"])
def test_warm_up_rises_in_equal_steps_to_1(name):
    """10 of 100 steps: 1/11, 2/11 ... 10/11, then 1; never 0, which would waste a step."""
    found = _table(name, range(11), 100, warmup=0.1)
    assert found == pytest.approx([(step + 1) / 11 for step in range(11)])


def test_milestones_count_from_the_start_and_the_cosine_from_the_end_of_the_warm_up():
    assert _table("step", [37, 38, 74, 75], 100, warmup=0.1) == pytest.approx([1, 0.1, 0.1, 0.01])
    assert _table("cosine", [10, 55, 100], 100, warmup=0.1) == pytest.approx([1, 0.5, 0])


def test_no_steps_at_all():
    assert make_schedule("step", total_steps=0, warmup=0, **STEP)(0) == 1


def test_it_drives_lambda_lr():
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.01)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, make_schedule("step", total_steps=8, warmup=0, **STEP))
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([1e-2, 1e-2, 1e-2, 1e-3, 1e-3, 1e-3, 1e-4, 1e-4])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "steps"}, "did you mean 'step'"),
        ({"name": "Cosine"}, "did you mean 'cosine'"),
        ({"warmup": 1.0}, r"warmup .* got 1\.0"),
        ({"warmup": -0.1}, r"warmup .* got -0\.1"),
        ({"milestones": (30, 60)}, r"milestones .* got \[30, 60\]"),
        ({"milestones": (0.0,)}, r"milestones .* got \[0\.0\]"),
    ],
)
def test_wrong_values(changes, words):
    arguments = {"name": "step", "total_steps": 10, "warmup": 0.0, **STEP} | changes
    with pytest.raises(ValueError, match=words):
        make_schedule(arguments.pop("name"), **arguments)


def test_a_course_may_be_in_seconds():
    """Of a training that ends by the clock: between two seconds the rate is between theirs."""
    factor = make_schedule("cosine", total_steps=90.0, warmup=0.1, **STEP)
    assert [factor(second) for second in (0, 4.5, 9.0, 49.5, 90.0, 91.7)] == pytest.approx([0.1, 0.55, 1, 0.5, 0, 0])


@pytest.mark.parametrize(
    ("optimizer", "lr", "decay"),
    [
        (None, 0.01, 1e-4),
        (functools.partial(torch.optim.AdamW, lr=0.004, weight_decay=0.05), 0.004, 0.05),
        (torch.optim.AdamW, 1e-3, 1e-2),  # the optimiser's own defaults
        (functools.partial(torch.optim.RMSprop, lr=0.02), 0.02, 0.0),
        (functools.partial(torch.optim.Rprop, lr=0.02), 0.02, None),  # knows no weight decay
    ],
)
@pytest.mark.parametrize(("batch", "scaling", "factor"), [(64, "linear", 1), (16, "linear", 0.25), (16, "sqrt", 0.5)])
def test_decay_groups_and_scaling_apply_to_every_optimiser(optimizer, lr, decay, batch, scaling, factor):
    model = torch.nn.Sequential(torch.nn.Conv3d(3, 4, 1), torch.nn.GroupNorm(2, 4))
    made = Optimisation(optimizer=optimizer, scaling=scaling).make_optimizer(model, batch)
    weights, plain = made.param_groups
    assert [p.ndim for p in weights["params"]] == [5]
    assert [p.ndim for p in plain["params"]] == [1, 1, 1]
    assert [group["lr"] for group in made.param_groups] == pytest.approx([lr * factor] * 2)
    assert (weights.get("weight_decay"), plain["weight_decay"]) == (decay, 0.0)


def test_weight_decay_moves_weights_only():
    """With gradients of 0, AdamW's step is p * (1 - lr * decay) (Loshchilov & Hutter 2019, algorithm 2)."""
    model = torch.nn.Linear(2, 2)
    torch.nn.init.ones_(model.weight)
    torch.nn.init.ones_(model.bias)
    adamw = functools.partial(torch.optim.AdamW, lr=0.1, weight_decay=0.5)
    optimizer = Optimisation(optimizer=adamw, base_batch=None).make_optimizer(model, 8)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(model.weight, torch.full((2, 2), 1 - 0.1 * 0.5))
    torch.testing.assert_close(model.bias, torch.ones(2))


def test_a_foreign_scheduler_starts_from_the_scaled_rate_and_follows_every_step():
    cosine = functools.partial(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=4)
    settings = Optimisation(lr=0.1, base_batch=64, scheduler=cosine)
    optimizer = settings.make_optimizer(torch.nn.Linear(2, 2), 32)
    made = settings.make_scheduler(optimizer, 100, float)
    assert made["interval"] == "step"
    rates = []
    for _ in range(5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        made["scheduler"].step()
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * step / 4)) / 2 for step in range(5)])


def test_reduce_on_plateau_follows_validations():
    plateau = functools.partial(ReduceLROnPlateau, monitor="val/loss")
    settings = Optimisation(scheduler=plateau)
    made = settings.make_scheduler(settings.make_optimizer(torch.nn.Linear(2, 2), 64), 100, float)
    assert made["monitor"] == "val/loss"
    assert "interval" not in made  # Lightning's default, an epoch


def test_the_log_says_which_optimiser_trains():
    settings = Optimisation(optimizer=functools.partial(torch.optim.AdamW, lr=0.002, weight_decay=0.05), base_batch=32)
    optimizer = settings.make_optimizer(torch.nn.Linear(2, 2), 16)
    scheduler = settings.make_scheduler(optimizer, 100, float)["scheduler"]
    assert settings.describe(optimizer, scheduler) == (
        "AdamW, weight decay 0.05 (1 weights, not 1 norms and biases), step schedule"
    )
    optimizer.add_param_group({"params": [torch.nn.Parameter(torch.ones(2))]})
    assert "weight decay 0.05 (1 weights, not 2 norms and biases)" in settings.describe(optimizer, scheduler)
    constant = Optimisation(scheduler=torch.optim.lr_scheduler.ConstantLR)
    optimizer = constant.make_optimizer(torch.nn.Linear(2, 2), 16)
    assert constant.describe(optimizer, constant.make_scheduler(optimizer, 100, float)["scheduler"]) == (
        "SGD, weight decay 0.0001 (1 weights, not 1 norms and biases), ConstantLR"
    )
    assert dotted_path(optimizer) == "torch.optim.sgd.SGD"


def _rates(model, optimizer):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}


@pytest.mark.parametrize("optimizer", [None, functools.partial(torch.optim.AdamW, lr=5.0)])
def test_every_parameter_has_the_rate_of_its_part(optimizer):
    """lr * decay ** (parts behind it), for weights and norms alike; only weights decay."""
    model = i3d_tiny(width=8)
    settings = Optimisation(lr=0.02, base_batch=32, optimizer=optimizer, layer_decay=0.5, weight_decay=0.1)
    made = settings.make_optimizer(model, 16)
    expected = {
        name: 0.01 * 0.5 ** "654310".index(name.split(".")[1])  # from the head; blocks.2 is a pool
        for name, _ in model.named_parameters()
    }
    found = _rates(model, made)
    assert found == pytest.approx(expected)
    assert len(found) == len(list(model.parameters()))
    for group in made.param_groups:
        assert [group["weight_decay"]] * len(group["params"]) == [0.1 if p.ndim > 1 else 0.0 for p in group["params"]]


def test_layer_decay_of_a_network_with_frozen_parts():
    """They keep their places in the order."""
    model = i3d_tiny(width=8)
    for block in list(model.blocks)[:3]:
        block.requires_grad_(False)
    found = _rates(model, Optimisation(lr=0.01, base_batch=None, layer_decay=0.5).make_optimizer(model, 8))
    assert {name.split(".")[1]: rate for name, rate in found.items()} == {
        "6": 0.01,
        "5": 0.005,
        "4": 0.0025,
        "3": 0.00125,
    }


def test_the_log_names_the_rates_of_both_ends():
    model = i3d_tiny(width=8)
    settings = Optimisation(lr=0.01, base_batch=None, layer_decay=0.5, warmup_epochs=2)
    optimizer = settings.make_optimizer(model, 8)
    line = settings.describe(optimizer, settings.make_scheduler(optimizer, 100, float, 10)["scheduler"])
    assert ", layer decay 0.5 (lr 0.000313 in blocks.0 to 0.01 in blocks.6), step schedule after 2 epochs" in line
    assert settings.facts(optimizer, optimizer)["layer_decay"] == 0.5


def test_without_layer_decay_there_are_two_groups_and_nothing_more():
    groups = parameter_groups(i3d_tiny(width=8))
    assert [sorted(group) for group in groups] == [["params"], ["params", "weight_decay"]]


@pytest.mark.parametrize(("epochs", "steps"), [(2, 20), (0.5, 5), (2.55, 26)])
def test_a_warm_up_in_epochs_is_that_many_steps(epochs, steps):
    """Of 10 steps each; then the same schedule as with a share."""
    settings = Optimisation(lr=1.0, base_batch=None, warmup_epochs=epochs, schedule="cosine")
    optimizer = settings.make_optimizer(torch.nn.Linear(2, 2), 8)
    scheduler = settings.make_scheduler(optimizer, 100, float, 10)["scheduler"]
    share = make_schedule("cosine", total_steps=100, warmup=epochs / 10, **STEP)
    rates = []
    for _ in range(100):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([share(step) for step in range(100)])
    rising = [step for step in range(100) if step / 100 < epochs / 10]
    assert len(rising) == steps
    assert rates[:steps] == pytest.approx([(step + 1) / (10 * epochs + 1) for step in rising])


@pytest.mark.parametrize(
    ("options", "epoch", "message"),
    [
        ({"warmup_epochs": 10}, 10, "warmup_epochs must be less than the training run's 10, got 10"),
        ({"warmup_epochs": 1}, None, "where --trainer.max_time ends it, take --model.warmup"),
    ],
)
def test_a_warm_up_in_epochs_that_cannot_be(options, epoch, message):
    settings = Optimisation(**options)
    with pytest.raises(ValueError, match=message):
        settings.make_scheduler(settings.make_optimizer(torch.nn.Linear(2, 2), 8), 100, float, epoch)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"warmup_epochs": 1, "warmup": 0.1}, r"warmup 0\.1, or a number of epochs, warmup_epochs 1: set one of them"),
        ({"warmup_epochs": -1}, "warmup_epochs must be >= 0, got -1"),
        ({"warmup_epochs": 1, "scheduler": torch.optim.lr_scheduler.ConstantLR}, "leave out warmup_epochs 1"),
        ({"layer_decay": 0}, r"layer_decay must be in \(0, 1\], 1 for none, got 0"),
        ({"layer_decay": 1.1}, "layer_decay must be in"),
        ({"ema": 1.0}, r"ema is the decay of the average and must be between 0 and 1, got 1\.0"),
        ({"weight_decay": -1}, "weight_decay must be >= 0, got -1"),
    ],
)
def test_values_that_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Optimisation(**options)


def test_lr_and_weight_decay_are_those_of_every_optimiser():
    settings = Optimisation(lr=0.3, weight_decay=0.05, base_batch=None, optimizer=torch.optim.AdamW)
    weights, plain = settings.make_optimizer(torch.nn.Linear(2, 2), 8).param_groups
    assert (weights["lr"], weights["weight_decay"], plain["lr"], plain["weight_decay"]) == (0.3, 0.05, 0.3, 0.0)
    with pytest.raises(ValueError, match=r"Rprop has no weight decay: leave out weight_decay, got 0\.05"):
        Optimisation(weight_decay=0.05, optimizer=torch.optim.Rprop).make_optimizer(torch.nn.Linear(2, 2), 8)
