"""Parts of networks by name, and what freezing does to them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from videogn.models import make_model
from videogn.models.network_parts import find_part, freeze, part_names, stages_of

STAGES = ["stem", "res2", "res3", "res4", "res5"]


@pytest.mark.parametrize(
    ("arch", "modules", "head"),
    [
        ("i3d_tiny", ["blocks.0", "blocks.1", "blocks.3", "blocks.4", "blocks.5"], "blocks.6.proj"),
        ("slow_r50", ["blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4"], "blocks.5.proj"),
        ("r3d_18", ["stem", "layer1", "layer2", "layer3", "layer4"], "fc"),
    ],
)
def test_stages_and_head_are_the_whole_network(arch, modules, head):
    with torch.device("meta"):  # names and shapes, in no time
        net = make_model(arch, 3, "bn")
    assert dict(stages_of(net)) == dict(zip(STAGES, modules, strict=True))
    parts = [find_part(net, name, 3) for name in STAGES]
    assert find_part(net, "head", 3).parameters == {f"{head}.weight", f"{head}.bias"}
    everything = {name for name, _ in net.named_parameters()}
    backbone = frozenset().union(*(part.parameters for part in parts))
    assert backbone == find_part(net, "backbone", 3).parameters == everything - find_part(net, "head", 3).parameters
    assert sum(len(part.parameters) for part in parts) == len(backbone)
    gammas = {name for name, parameter in net.named_parameters() if parameter.ndim == 1}
    assert find_part(net, "norms", 3).parameters == gammas - {f"{head}.bias"}


class _Own(nn.Module):
    """A token, a stage with dropout, and a head with dropout."""

    stage_names = {"stem": "patches"}  # noqa: RUF012

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(nn.init.zeros_(nn.Linear(4, 1).weight)[None])
        self.patches = nn.Sequential(nn.Conv3d(3, 4, 2), nn.Dropout(), nn.BatchNorm3d(4, affine=False))
        self.patches_too = nn.Linear(4, 4)
        self.head = nn.Sequential(nn.Dropout(), nn.Linear(4, 2))


def test_a_network_of_ones_own():
    net = _Own()
    assert find_part(net, "patches", 2) == find_part(net, "stem", 2)
    assert find_part(net, "patches", 2).parameters == {"patches.0.weight", "patches.0.bias"}
    assert find_part(net, "token", 2).parameters == {"token"}
    assert find_part(net, "norms", 2).modules == {"patches.2"}
    freeze(net, ["backbone"], 2)
    assert [name for name, parameter in net.named_parameters() if parameter.requires_grad] == [
        "head.1.weight", "head.1.bias",
    ]  # fmt: skip
    evaluated = {name for name, module in net.named_modules() if not module.training}
    assert evaluated == {"patches", "patches.0", "patches.1", "patches.2", "patches_too"}


def test_a_last_layer_that_is_no_classifier():
    with pytest.raises(ValueError, match="is no classifier of 5 classes"):
        find_part(_Own(), "backbone", 5)


def test_names_as_options_have_them():
    assert part_names(None) == part_names([]) == ()
    assert part_names("stem, res2") == part_names(["stem", "res2", "stem"]) == ("stem", "res2")
