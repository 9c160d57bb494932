"""Plans for every batch size against plans of single batch sizes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from videogn import memory
from videogn.memory import StepSetting, plan_steps, planned, setting_of_run
from videogn.memory.allocations import AllocationLog
from videogn.norm import NORMS

_FIND_OUT = AllocationLog.__init__


def step_memory(setting, size, **options):
    """A plan that finds out anew what operations give; those of all batch sizes share it with plans of other tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AllocationLog, "__init__", _FIND_OUT)
        return memory.step_memory(setting, size, **options)


def _settings(norm, lengths=(4, 8), **changes):
    return [
        StepSetting("i3d_tiny", norm, length, 32, num_classes=8, arch_options={"width": 8}, **changes)
        for length in lengths
    ]


#: Every norm in plain; those that differ most in what they keep, in the other modes too.
KEPT = [
    *((norm, "plain") for norm in NORMS),
    *((norm, mode) for norm in ("bn", "gn", "brn", "mabn", "frn") for mode in ("lean", "block", "stage")),
]


@pytest.mark.parametrize(("norm", "mode"), KEPT)
def test_plans_are_those_of_every_batch_size(norm, mode):
    """To the byte, at the peak and for every kind; of one clip, where sizes of 1 may be special, and of more."""
    precision = "bf16-mixed" if mode in ("plain", "block") else "32"
    settings = _settings(norm, memory_mode=mode, precision=precision)
    first, second = plan_steps(settings)
    for plan, size in ((first, 1), (first, 8), (second, 5)):
        assert plan.memory(size) == step_memory(plan.setting, size), (plan.setting.clip_length, size)


@pytest.mark.parametrize("norm", NORMS)
def test_every_norm_but_that_over_sub_batches_is_run_at_two_batch_sizes_only(norm, monkeypatch):
    settings = _settings(norm)
    plans = plan_steps(settings)
    monkeypatch.setattr(planned, "_run", lambda *_: pytest.fail("another step was run"))
    if norm == "sub_bn":
        with pytest.raises(pytest.fail.Exception):
            plans[0].memory(7)
    else:
        assert all(plan.memory(100).peak_bytes > plan.memory(99).peak_bytes for plan in plans)


def test_sub_batches_of_more_than_one_clip_are_planned():
    (plan,) = plan_steps(_settings("sub_bn", norm_options={"clips": 2})[:1])
    assert plan.memory(4) == step_memory(plan.setting, 4)
    with pytest.raises(ValueError, match="divisible by the clips of a sub-batch, got 3 clips"):
        plan.memory(3)
    assert [plan.largest_batch(plan.memory(6).peak_bytes + more) for more in (-1, 0, 1)] == [4, 6, 6]


def test_settings_that_share_nothing_and_some_that_are_equal():
    settings = [*_settings("gn"), *_settings("bn", optimizer="AdamW"), _settings("gn")[0]]
    calls = []
    plans = plan_steps(settings, device="cpu", progress=lambda done, total: calls.append((done, total)))
    assert [plan.setting for plan in plans] == settings
    assert plans[0] is plans[-1]
    assert calls == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for plan in plans:
        assert plan.memory(3) == step_memory(plan.setting, 3, device="cpu")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    ("optimizer", "options", "copies"),
    [
        ("SGD", {}, 1),
        ("SGD", {"momentum": 0, "nesterov": False}, 0),
        ("AdamW", {}, 2),
        ("torch.optim.Adam", {"amsgrad": True}, 3),
    ],
)
def test_states_of_optimisers(optimizer, options, copies, device):
    """Copies of every parameter, and a counter for each of Adam's."""
    (setting,) = _settings("gn", lengths=(4,), optimizer=optimizer, optimizer_options=options)
    (plan,) = plan_steps([setting], device=device)
    state = plan.memory(2).at_peak["optimizer state"]
    parameters = list(setting.build().parameters())
    assert sum(parameter.numel() for parameter in parameters) == plan.parameters
    counters = 4 * len(parameters) if "Adam" in optimizer else 0
    assert state == 4 * plan.parameters * copies + counters


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"optimizer": "AdamV"}, "optimizer must be one of .*, got 'AdamV'; did you mean 'Adam'"),
        ({"optimizer_options": {"momentun": 1}}, "optimizer 'SGD' takes .*, got option 'momentun'; did you mean 'mom"),
        ({"memory_mode": "laen"}, "memory_mode must be one of .*, got 'laen'; did you mean 'lean'"),
    ],
)
def test_wrong_names(changes, words):
    with pytest.raises(ValueError, match=words):
        plan_steps(_settings("gn", **changes))


# From outside the package


def test_a_norm_and_a_network_from_outside(outside):
    own_norm = StepSetting("i3d_tiny", "own_norms.rms_group_norm", 4, 32, norm_options={"groups": 2})
    own_net = StepSetting("own_nets.small_net", "gn", 4, 32, arch_options={"width": 8}, norm_options={"groups": 2})
    for setting, plan in zip((own_norm, own_net), plan_steps([own_norm, own_net]), strict=True):
        for size in (1, 5):
            assert plan.memory(size) == step_memory(setting, size)
    with pytest.raises(ValueError, match=r"'own_nets.small_net' takes width, got option 'memory_mode'"):
        plan_steps([StepSetting("own_nets.small_net", memory_mode="lean")])


@pytest.mark.parametrize("norm", ["group_norm_by_function", "group_norm_by_name"])
def test_cuda_runs_group_norm_in_float32_whoever_calls_it(norm, outside):
    """Autocast's rule is about the operation: a norm of another class has it too."""
    settings = [StepSetting("i3d_tiny", name, 8, 32, "bf16-mixed") for name in ("gn", f"own_norms.{norm}")]
    on_cuda, on_cpu = (plan_steps(settings, device=device) for device in ("cuda", "cpu"))
    assert on_cuda[0].memory(4) == on_cuda[1].memory(4)
    assert on_cpu[0].memory(4) == on_cpu[1].memory(4)
    assert on_cuda[0].memory(4).activation_bytes > 1.2 * on_cpu[0].memory(4).activation_bytes


def test_the_rule_of_cuda_ends_with_the_plan():
    plan_steps(_settings("gn", precision="bf16-mixed"))
    with torch.autocast("cpu", torch.bfloat16):
        assert nn.GroupNorm(1, 2)(torch.ones(1, 2, 3, dtype=torch.bfloat16)).dtype == torch.bfloat16


def test_an_average_of_the_weights_is_one_more_copy_of_them_and_of_the_statistics():
    (plain,), (averaged,) = (_settings("bn", (4,), ema=ema) for ema in (False, True))
    plans = plan_steps([plain, averaged], device="cpu")
    assert plans[1].memory(3) == step_memory(averaged, 3, device="cpu")
    held = [plan.memory(3).at_peak["parameters"] for plan in plans]
    assert held[1] == 2 * held[0]
    assert plans[1].memory(3).peak_bytes == plans[0].memory(3).peak_bytes + held[0]


def test_a_step_is_planned_as_it_is_when_all_trains_that_ever_does():
    """The bytes of a network whose part is not frozen at all; `norms` within it stay."""
    settings = [
        _settings("gn", (4,), freeze=("stem", "res2"), unfreeze=("res2",))[0],
        _settings("gn", (4,), freeze=("stem",))[0],
        _settings("gn", (4,), freeze=("res2", "norms"), unfreeze=("res2",))[0],
        _settings("gn", (4,), freeze=("norms",))[0],
    ]
    first, second, third, fourth = (plan.memory(3) for plan in plan_steps(settings, device="cpu"))
    assert first == second
    assert third == fourth


def test_the_words_of_a_run_make_its_step():
    about = {"arch": "i3d_tiny", "norm": "gn", "norm_options": None, "arch_options": None, "clip_length": 4,
             "crop_size": 32}  # fmt: skip
    setting = setting_of_run({**about, "freeze": "backbone", "unfreeze_epochs": {"res5": 2}, "ema": 0.9}, 8, "32")
    assert (setting.freeze, setting.unfreeze, setting.ema) == (("backbone",), ("res5",), True)
    setting = setting_of_run(about, 8, "32")
    assert (setting.freeze, setting.unfreeze, setting.ema) == ((), (), False)


@pytest.mark.parametrize("mode", ["plain", "block"])
def test_what_is_frozen_has_no_gradient_and_no_state_and_nothing_below_it_is_kept(mode):
    """Of a frozen backbone the input of the classifier is all that is kept, with what the loss needs."""
    whole, frozen, some = (_settings("bn", (4,), memory_mode=mode, freeze=parts)[0]
                           for parts in ((), ("backbone",), ("stem", "res2")))  # fmt: skip
    plans = plan_steps([whole, frozen, some], device="cpu")
    assert [plan.memory(3) for plan in plans] == [step_memory(plan.setting, 3, device="cpu") for plan in plans]
    head = 256 * 8 + 8
    assert plans[1].parameters == head
    assert plans[1].memory(2).at_peak["optimizer state"] == plans[1].memory(2).at_peak["gradients"] == 4 * head
    assert plans[1].memory(2).activation_bytes < 0.1 * plans[0].memory(2).activation_bytes
    assert plans[2].memory(2).activation_bytes < 0.6 * plans[0].memory(2).activation_bytes
