"""A cell's name, its configuration and what a result depends on."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import asdict, fields, replace

import pytest

from videogn.study import Budget, Cell, Norm
from videogn.study.cell import fingerprint, merge, norm_labels, parse_clip, parse_setting

GN = Norm("gn")
CELL = Cell(GN, 16, 1, 2, 4, Budget("epochs", 24))
#: Another value of everything that makes a cell.
OTHERS = {
    "norm": [
        Norm("mine.norms.rms_group_norm"),
        Norm("his.norms:rms_group_norm"),
        Norm("mine.gn"),
        Norm("bn"),
        Norm("gn", (("groups", 8),)),
        Norm("gn", (("groups", 16),)),
        Norm("gn", (("eps", 1e-3),)),
    ],
    "clip_length": [8, 1, 161],
    "interval": [2, 11],
    "batch_size": [1, 4, 24],
    "accumulate": [1, 2],
    "budget": [Budget("epochs", 2), Budget("iterations", 24), Budget("minutes", 0.5), Budget("minutes", 5)],
    "scaling": ["sqrt", "none"],
    "memory_mode": ["lean", "block", "stage"],
    "init": ["a/resnet.pth", "b/resnet.pth", "timm:resnet50", "zoo:i3d_r50", "https://x.org/a?b=c", "weights of äöü"],
    "seed": [1, 10],
    "devices": [2, 8],
    "schedule": ["multigrid", "multigrid-long", "multigrid-short"],
}
VARIANTS = [CELL, *(replace(CELL, **{name: value}) for name, values in OTHERS.items() for value in values)]


def test_every_field_is_varied():
    assert set(OTHERS) == {field.name for field in fields(Cell)}


def test_names_tell_cells_apart_and_are_folders_anywhere():
    names = [cell.name for cell in VARIANTS]
    assert len({name.casefold() for name in names}) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,120}", name) for name in names)


def test_names_by_hand():
    """They are where results live: a new version must find those of the last."""
    assert CELL.name == "gn_16x1_batch2x4_24epochs_seed0"
    assert replace(CELL, accumulate=1, seed=3).name == "gn_16x1_batch2_24epochs_seed3"
    assert replace(CELL, norm=Norm("ws+gn", (("groups", 8),))).name == "ws+gn-groups8_16x1_batch2x4_24epochs_seed0"


def test_labels():
    assert (GN.label, Norm("gn", (("group_size", 4),)).label) == ("GN", "GN, group size 4")


def test_norms_from_other_packages_have_short_names():
    """The last part of the path, never the name of a norm of the family, and a hash in the folder's name."""
    own = Norm("my_package.norms.rms_group_norm", (("groups", 8),))
    assert own.label == "rms_group_norm, groups 8"
    assert re.fullmatch(r"rms-group-norm-[0-9a-f]{6}-groups8_16x1_.*", replace(CELL, norm=own).name)
    assert len({Norm("mine.norms.gn").slug, Norm("his.norms.gn").slug, Norm("mine.norms:gn").slug, GN.slug}) == 4


def test_labels_of_several_norms_are_distinct():
    mine, his = Norm("mine.norms.rms", (("groups", 8),)), Norm("his.norms.rms", (("groups", 8),))
    assert norm_labels([GN, mine, GN]) == {GN: "GN", mine: "rms, groups 8"}
    labels = norm_labels([mine, his, GN])
    assert len(set(labels.values())) == 3
    assert all(re.fullmatch(r"rms, groups 8 \([0-9a-f]{6}\)", labels[norm]) for norm in (mine, his))
    assert norm_labels([his, mine])[mine] == labels[mine]


def test_clips_of_a_step_are_those_of_all_devices():
    assert replace(CELL, devices=3).clips_per_step == 2 * 4 * 3


@pytest.mark.parametrize("cell", VARIANTS, ids=lambda cell: cell.name)
def test_a_cell_survives_json(cell):
    again = Cell.read(json.loads(json.dumps(asdict(cell))))
    assert again == cell
    assert hash(again) == hash(cell)
    assert again.name == cell.name


def test_the_configuration_of_a_cell():
    cell = Cell(Norm("gn", (("groups", 8),)), 8, 2, 4, 2, Budget("iterations", 9), "sqrt", "block", "a.pth", 5, 3)
    config = cell.fit_config({"model": {"arch": "i3d_tiny", "arch_options": {"width": 8}}, "data": {"root": "x"}})
    assert config["seed_everything"] == 5
    assert config["data"] == {"root": "x", "batch_size": 4}
    assert config["model"] == {
        "arch": "i3d_tiny",
        "arch_options": {"width": 8, "memory_mode": "block"},
        "norm": "gn",
        "norm_options": {"groups": 8},
        "clip_length": 8,
        "interval": 2,
        "init_from": "a.pth",
        "scaling": "sqrt",
    }
    wanted = {"devices": 3, "accumulate_grad_batches": 2, "max_steps": 9, "max_epochs": -1, "max_time": None}
    assert wanted.items() <= config["trainer"].items()


def test_the_shared_configuration_is_not_changed():
    base = {"model": {"arch_options": {"width": 8}}, "trainer": {"max_epochs": 3}}
    before = json.dumps(base)
    config = CELL.fit_config(base)
    config["model"]["arch_options"]["width"] = 1
    assert json.dumps(base) == before


def test_a_cell_takes_no_limit_from_the_shared_configuration():
    limits = {"max_epochs": 3, "max_steps": 4, "max_time": "00:00:00:05"}
    trainer = replace(CELL, budget=Budget("iterations", 9)).fit_config({"trainer": limits})["trainer"]
    assert (trainer["max_epochs"], trainer["max_steps"], trainer["max_time"]) == (-1, 9, None)


def test_options_of_one_norm_never_reach_another():
    base = {"model": {"norm": "gn", "norm_options": {"groups": 8}}}
    assert replace(CELL, norm=Norm("bn")).fit_config(base)["model"]["norm_options"] is None
    sized = replace(CELL, norm=Norm("gn", (("group_size", 4),)))
    assert sized.fit_config(base)["model"]["norm_options"] == {"group_size": 4}
    over = merge({"norm_options": {"groups": 8}}, {"norm_options": {"group_size": 4}})
    assert over == {"norm_options": {"group_size": 4}}


@pytest.mark.parametrize(("scaling", "base_batch", "rule"), [("linear", 64, "linear"), ("sqrt", 64, "sqrt")])
def test_the_rule_of_the_learning_rate(scaling, base_batch, rule):
    model = replace(CELL, scaling=scaling).fit_config({"model": {"base_batch": 64}})["model"]
    assert (model["base_batch"], model["scaling"]) == (base_batch, rule)


def test_no_rule_leaves_the_rate_alone():
    assert replace(CELL, scaling="none").fit_config({"model": {"base_batch": 64}})["model"]["base_batch"] is None


def test_merging_is_that_of_repeated_configurations():
    base = {"a": {"b": 1, "c": {"d": 2}}, "e": [1]}
    assert merge(base, {"a": {"c": {"f": 3}}, "e": [2]}) == {"a": {"b": 1, "c": {"d": 2, "f": 3}}, "e": [2]}
    assert merge({"a": None}, {"a": {"b": 1}}) == {"a": {"b": 1}}
    assert merge({"a": {"b": 1}}, {"a": None}) == {"a": None}


def test_a_fingerprint_follows_every_setting():
    base = {"model": {"lr": 0.1}, "data": {"root": "x"}}
    prints = [fingerprint(cell.fit_config(base), None) for cell in VARIANTS]
    prints += [fingerprint(CELL.fit_config(other), None) for other in ({}, {**base, "model": {"lr": 0.2}})]
    prints += [fingerprint(CELL.fit_config(base), motion) for motion in ({"size": 32}, {"size": 64})]
    assert len(set(prints)) == len(prints)


def test_a_fingerprint_does_not_follow_a_default_that_is_said():
    plain = {"model": {"arch_options": {"memory_mode": "plain"}}}
    assert fingerprint(CELL.fit_config(plain), None) == fingerprint(CELL.fit_config({}), None)


def test_a_fingerprint_does_not_follow_the_order_of_keys():
    orders = itertools.permutations([("lr", 0.1), ("arch", "i3d_tiny"), ("warmup", 0.1)])
    assert len({fingerprint(CELL.fit_config({"model": dict(order)}), {"size": 32}) for order in orders}) == 1


@pytest.mark.parametrize(("text", "expected"), [("32x2", (32, 2)), ("1x1", (1, 1)), ("128x10", (128, 10))])
def test_clips(text, expected):
    assert parse_clip(text) == expected


@pytest.mark.parametrize("text", ["32", "32x2@8", "32x0", "0x2", "32x2 ", "-8x2", "8X2", "", "axb", 16, None, "08x2"])
def test_wrong_clips(text):
    with pytest.raises(ValueError, match=f"a clip is LENGTHxINTERVAL, for instance 32x2, got {text!r}"):
        parse_clip(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("32x2@8", (32, 2, 8)), ("64x1@4", (64, 1, 4)), ("8x10@16", (8, 10, 16))]
)
def test_settings(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["32x2", "32@8", "32x2@0", "0x2@8", "32x2@8 ", "-8x2@8", "axb@c", "", 8])
def test_wrong_settings(text):
    with pytest.raises(ValueError, match=r"a setting is LENGTHxINTERVAL@BATCH, for instance 32x2@8, got"):
        parse_setting(text)
