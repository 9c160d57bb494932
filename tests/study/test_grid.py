"""From a grid's YAML to cells, and every way to get it wrong."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

import pytest
import yaml

from videogn.study import Budget, Cell, Norm, read_grid
from videogn.study.grid import check_known, make_grid

AXES = {"norm": ["bn", "gn"], "clip": ["8x2", "16x1"], "batch_size": [8, 2]}
CONTENT = {"axes": AXES, "budget": {"epochs": 3}}


def _grid(**changes):
    return make_grid({**CONTENT, **changes})


def _with_axes(**changes):
    return _grid(axes={**AXES, **changes})


def _write(tmp_path, content, name="grid.yaml"):
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_every_combination_once():
    cells = _with_axes(seed=[0, 1], memory_mode=["plain", "lean"], init=["none", "a.pth"]).cells
    assert len(cells) == len(set(cells)) == 2**6
    assert len({cell.name for cell in cells}) == 2**6
    assert {cell.memory_mode for cell in cells} == {"plain", "lean"}
    assert {cell.init for cell in cells} == {None, "a.pth"}


def test_one_seed_after_the_other():
    """So that a first picture of all is there early."""
    assert [cell.seed for cell in _with_axes(seed=[2, 0, 1]).cells] == [0] * 8 + [1] * 8 + [2] * 8


def test_short_clips_first():
    lengths = [cell.clip_length for cell in _with_axes(clip=["64x1", "8x2", "32x1"], seed=[0, 1]).cells]
    assert lengths == ([8] * 4 + [32] * 4 + [64] * 4) * 2


def test_one_value_needs_no_brackets():
    grid = _grid(axes={"norm": {"name": "gn", "groups": 8}, "clip": "8x2", "batch_size": 4, "seed": 7})
    (cell,) = grid.cells
    assert (cell.norm, cell.clip_length, cell.interval) == (Norm("gn", (("groups", 8),)), 8, 2)
    assert (cell.batch_size, cell.seed, cell.budget) == (4, 7, Budget("epochs", 3))


def test_settings_in_place_of_clips_and_batches():
    cells = _grid(axes={"norm": "gn", "setting": ["32x2@8", "64x1@4", "32x2@8"]}).cells
    assert [cell.setting for cell in cells] == [(32, 2, 8), (64, 1, 4)]


def test_options_of_a_norm_in_any_order_are_one_norm():
    norms = [{"name": "gn", "groups": 8, "eps": 0.001}, {"eps": 0.001, "groups": 8, "name": "gn"}, "gn", {"name": "gn"}]
    cells = _grid(axes={"norm": norms, "setting": "8x2@4"}).cells
    assert [cell.norm.options for cell in cells] == [(("eps", 0.001), ("groups", 8)), ()]


def test_options_of_one_norm_do_not_reach_another():
    grid = _with_axes(norm=[{"name": "gn", "groups": 8}, "bn", {"name": "gn", "group_size": 4}])
    for cell in grid.cells:
        options = cell.fit_config(grid.base)["model"]["norm_options"]
        assert (
            options
            == {(("groups", 8),): {"groups": 8}, (("group_size", 4),): {"group_size": 4}, (): None}[cell.norm.options]
        )


@pytest.mark.parametrize(
    ("base", "modes"),
    [
        ({}, {"block": {"memory_mode": "block"}, "plain": {}}),  # plain is what every network does by itself
        ({"memory_mode": "lean"}, {"block": {"memory_mode": "block"}, "plain": {"memory_mode": "plain"}}),
    ],
)
def test_the_memory_mode_is_an_option_of_the_network(base, modes):
    grid = _grid(axes={**AXES, "memory_mode": ["block", "plain"]}, fit={"model": {"arch_options": base}})
    found = {cell.memory_mode: cell.fit_config(grid.base)["model"]["arch_options"] for cell in grid.cells}
    assert found == modes


def test_weights_for_each_norm():
    grid = _with_axes(norm=["bn", "gn", {"name": "gn", "groups": 8}, "ln"], init={"bn": "b", "gn": "g", "ln": None})
    assert {(cell.norm.name, cell.init) for cell in grid.cells} == {("bn", "b"), ("gn", "g"), ("ln", None)}
    assert {cell.fit_config({})["model"]["init_from"] for cell in grid.cells} == {"b", "g", None}


@pytest.mark.parametrize("devices", [2, [0, 1]])
def test_devices_of_the_configuration_count(devices):
    cells = _grid(fit={"trainer": {"devices": devices}}).cells
    assert {cell.devices for cell in cells} == {2}
    assert {cell.devices for cell in _grid(fit={"trainer": {"devices": devices}}, devices=4).cells} == {4}
    assert {cell.devices for cell in _grid(fit={"trainer": {"devices": "auto"}}).cells} == {1}


# Budgets.


def test_equal_steps_by_accumulation():
    """So that only the normalisation batch changes."""
    cells = _grid(budget={"epochs": 3, "step_clips": 16}).cells
    assert {(cell.batch_size, cell.accumulate) for cell in cells} == {(8, 2), (2, 8)}
    assert {cell.clips_per_step for cell in cells} == {16}


def test_equal_cells_of_two_budgets_are_one():
    """8 clips a step is what a batch of 8 takes anyway."""
    grid = _grid(budget=[{"epochs": 3}, {"epochs": 3, "step_clips": 8}])
    assert [len(section.cells) for section in grid.sections] == [8, 8]
    assert len(grid.cells) == 12
    shared = set(grid.sections[0].cells) & set(grid.sections[1].cells)
    assert {cell.batch_size for cell in shared} == {8}


def test_equal_frames():
    """16-frame clips get half the steps of 8-frame ones."""
    cells = _grid(budget={"frames": 51_200}).cells
    steps = {cell.setting: cell.fit_config({})["trainer"]["max_steps"] for cell in cells}
    assert steps == {(8, 2, 8): 800, (8, 2, 2): 3200, (16, 1, 8): 400, (16, 1, 2): 1600}


def test_names_are_stable():
    """Another budget, seed, norm or mode leaves the names of the cells that there were."""
    before = {cell.name for cell in _grid().cells}
    more = [
        _grid(budget=[{"minutes": 5}, {"epochs": 3}, {"frames": 6400, "step_clips": 8, "scaling": "sqrt"}]),
        _with_axes(norm=["ln", {"name": "gn", "groups": 8}, "bn", "gn"]),
        _with_axes(seed=[1, 0], memory_mode=["lean", "plain"], init=["a.pth", "none"], clip=["4x2", "16x1", "8x2"]),
    ]
    for grid in more:
        names = [cell.name for cell in grid.cells]
        assert len(set(names)) == len(names)
        assert before < set(names)


def test_titles_and_notes():
    budgets = [{"epochs": 3}, {"epochs": 3, "step_clips": 8}, {"frames": 640, "title": "Mine", "note": "What for."}]
    sections = _grid(budget=budgets).sections
    assert [section.title for section in sections][::2] == ["3 epochs, a step after every batch", "Mine"]
    assert "8 clips" in sections[1].title
    assert [section.note for section in sections] == ["", "", "What for."]


@pytest.mark.parametrize("rule", ["linear", "sqrt", "none", "SQRT", None])
def test_rules_of_the_learning_rate(rule):
    cells = _grid(budget={"epochs": 3, "scaling": rule}).cells
    assert {cell.scaling for cell in cells} == {str(rule).lower()}


# Files.


def test_configurations_are_relative_to_the_grid_and_merged_in_order(tmp_path):
    (tmp_path / "sub").mkdir()
    _write(tmp_path, {"model": {"lr": 1, "arch": "i3d_tiny"}, "data": {"root": "a"}}, "a.yaml")
    _write(tmp_path, {"model": {"lr": 2}}, "b.yaml")
    path = _write(tmp_path / "sub", {**CONTENT, "configs": ["../a.yaml", "../b.yaml"], "fit": {"data": {"root": "b"}}})
    grid = read_grid(path, fit={"model": {"warmup": 0.1}})
    assert grid.base == {"model": {"lr": 2, "arch": "i3d_tiny", "warmup": 0.1}, "data": {"root": "b"}}
    assert grid.title == "grid"


def test_the_text_is_the_grid_again(tmp_path):
    path = _write(tmp_path, {**CONTENT, "title": "T", "fit": {"model": {"lr": 1}}, "memory": "16GiB"})
    grid = read_grid(path, fit={"model": {"lr": 2}}, axes={"seed": [0, 1]})
    again = make_grid(yaml.safe_load(grid.text), folder=tmp_path)
    assert (again.cells, again.base, again.title, again.memory) == (grid.cells, grid.base, "T", "16GiB")
    assert len(grid.cells) == 16


@pytest.mark.parametrize(
    ("axes", "settings"),
    [
        ({"setting": ["4x2@4"]}, {(4, 2, 4)}),
        ({"batch_size": 1}, {(8, 2, 1), (16, 1, 1)}),
        ({"clip": "4x1", "batch_size": 1}, {(4, 1, 1)}),
    ],
)
def test_axes_in_place_of_the_file_s(tmp_path, axes, settings):
    grid = read_grid(_write(tmp_path, CONTENT), axes=axes)
    assert {cell.setting for cell in grid.cells} == settings


def test_clips_take_the_place_of_settings(tmp_path):
    path = _write(tmp_path, {**CONTENT, "axes": {"norm": "bn", "setting": "8x2@8"}})
    assert [cell.setting for cell in read_grid(path, axes={"clip": "4x1", "batch_size": 2}).cells] == [(4, 1, 2)]
    with pytest.raises(ValueError, match="axes must have clip and batch_size"):
        read_grid(path, axes={"clip": "4x1"})


def test_a_grid_by_name(tmp_path, monkeypatch):
    """Anywhere, also beside a study that is called like it; configurations too."""
    (tmp_path / "motion_smoke").mkdir()
    monkeypatch.chdir(tmp_path)
    assert read_grid("motion_smoke").title.startswith("Smoke test")
    assert make_grid({**CONTENT, "configs": "motion"}).base["model"]["arch"] == "i3d_tiny"
    with pytest.raises(FileNotFoundError, match="did you mean 'motion_smoke'"):
        read_grid("motion_smok")


def test_every_shipped_grid_is_one(request):
    for path in sorted((request.config.rootpath / "configs" / "study").glob("*.yaml")):
        names = [cell.name for cell in read_grid(path).cells]
        assert len(set(names)) == len(names) > 0
        json.dumps([cell.fit_config(read_grid(path).base) for cell in read_grid(path).cells])


# Mistakes.

WRONG = [
    ({"axis": AXES}, "key of a grid must be one of title, .*, got 'axis'; did you mean 'axes'?"),
    ({"budget": None}, "a grid needs a budget: one of epochs, iterations, frames, minutes, for instance"),
    ({"budget": []}, "a grid needs a budget"),
    ({"budget": "24 epochs"}, "budget must be a mapping of names to values, got '24 epochs'"),
    ({"budget": {"epoch": 3}}, "key of budget must be one of .*, got 'epoch'; did you mean 'epochs'?"),
    ({"budget": {"epochs": 3, "minutes": 1}}, "exactly one of .*, got epochs, minutes"),
    ({"budget": {"step_clips": 8}}, "exactly one of epochs, iterations, frames, minutes, got none"),
    ({"budget": {"epochs": 3.5}}, "whole epochs, got 3.5"),
    ({"budget": {"epochs": "three"}}, "epochs > 0, got 'three'"),
    (
        {"budget": {"epochs": 3, "step_clips": 12}},
        "step_clips must be a multiple of every batch size, got 12 and batch 8",
    ),
    ({"budget": {"epochs": 3, "step_clips": 0}}, "step_clips must be a whole number >= 1, got 0"),
    ({"budget": {"epochs": 3, "step_clips": 4}}, "got 4 and batch 8"),
    ({"budget": {"epochs": 3, "scaling": "square"}}, "scaling must be one of linear, sqrt, none, got 'square'"),
    ({"budget": [{"epochs": 3}, {"epochs": 3}]}, "two budgets have the same title"),
    ({"axes": ["bn"]}, r"axes must be a mapping of names to values, got \['bn'\]"),
    ({"axes": {}}, "axes must have clip and batch_size, or setting, for instance"),
    ({"axes": {**AXES, "setting": "8x2@8"}}, "either setting or clip and batch_size, got both"),
    ({"axes": {**AXES, "sead": 1}}, "axis must be one of .*, got 'sead'; did you mean 'seed'?"),
    ({"axes": {**AXES, "norm": []}}, "axis norm must have at least one value, got none"),
    ({"axes": {**AXES, "batch_size": []}}, "axis batch_size must have at least one value, got none"),
    ({"axes": {**AXES, "norm": {"gn": {"groups": 8}}}}, "a norm with options needs a name"),
    ({"axes": {**AXES, "clip": "8"}}, "a clip is LENGTHxINTERVAL, for instance 32x2, got '8'"),
    ({"axes": {**AXES, "batch_size": 0}}, "batch_size must be a whole number >= 1, got 0"),
    ({"axes": {**AXES, "batch_size": "8"}}, "batch_size must be a whole number >= 1, got '8'"),
    ({"axes": {**AXES, "seed": -1}}, "seed must be a whole number >= 0, got -1"),
    ({"axes": {**AXES, "seed": True}}, "seed must be a whole number >= 0, got True"),
    ({"axes": {**AXES, "memory_mode": "blok"}}, "memory_mode must be one of .*, got 'blok'; did you mean 'block'?"),
    ({"axes": {**AXES, "init": {"bn": "a"}}}, "init must name weights for every norm, or null, got none for gn"),
    ({"devices": 0}, "devices must be a whole number >= 1, got 0"),
    ({"devices": "two"}, "devices must be a whole number >= 1, got 'two'"),
    ({"motion": {"videos": 3}}, "key of motion must be one of .*, got 'videos'"),
    ({"motion": {"size": 32}}, "motion must say videos_per_class, got {'size': 32}"),
    ({"motion": 8}, "motion must be a mapping of names to values, got 8"),
    ({"videos": {"training": 8}}, "key of videos must be one of classes, train, val, test, got 'training'"),
    ({"videos": {"train": -8}}, "train must be a whole number >= 1, got -8"),
    ({"axes": {**AXES, "memory_mode": 1}}, "memory_mode .*got"),
    ({"axes": {**AXES, "memory_mode": {"a": 1}}}, "memory_mode .*got"),
    ({"axes": {**AXES, "norm": {"name": "gn", "groups": [8]}}}, "groups .*got"),
    ({"fit": {"trainer": 3}}, "trainer .*got 3"),
    ({"fit": {"model": "i3d"}}, "model .*got 'i3d'"),
    ({"fit": 3}, "fit must be a mapping of names to values, got 3"),
]


@pytest.mark.parametrize(
    ("changes", "words"),
    WRONG,
)
def test_mistakes_are_named(changes, words):
    with pytest.raises(ValueError, match=words) as caught:
        _grid(**changes)
    assert "\n" not in str(caught.value)


def test_missing_files_are_named(tmp_path):
    path = _write(tmp_path, {**CONTENT, "configs": "motoin.yaml"})
    _write(tmp_path, {}, "motion.yaml")
    with pytest.raises(FileNotFoundError, match=re.escape(f"did you mean {tmp_path / 'motion.yaml'}?")):
        read_grid(path)
    with pytest.raises(FileNotFoundError, match="did you mean"):
        read_grid(tmp_path / "grid.yml")


@pytest.mark.parametrize("text", ["", "- a\n", "grid\n"])
def test_a_file_that_is_no_grid(tmp_path, text):
    with pytest.raises(ValueError, match=r"grid\.yaml must be a mapping of names to values"):
        read_grid(_write(tmp_path, text))


@pytest.mark.parametrize("name", ["grid.yaml", "config.yaml"])
def test_a_file_that_is_no_yaml(tmp_path, name):
    path = _write(tmp_path, {**CONTENT, "configs": "config.yaml"})
    _write(tmp_path, {}, "config.yaml")
    _write(tmp_path, "axes: [\n", name)
    with pytest.raises(ValueError, match=re.escape(name)):
        read_grid(path)


def test_weights_of_the_shared_configuration_are_kept():
    """Nothing is replaced silently."""
    grid = _grid(fit={"model": {"init_from": "a.pth"}})
    assert {cell.fit_config(grid.base)["model"]["init_from"] for cell in grid.cells} == {"a.pth"}


def test_the_memory_mode_of_the_shared_configuration_is_kept():
    grid = _grid(fit={"model": {"arch_options": {"memory_mode": "block"}}})
    assert {cell.memory_mode for cell in grid.cells} == {"block"}


def test_numbers_as_people_write_them(tmp_path):
    path = _write(tmp_path, "axes: {norm: {name: gn, eps: 1e-3}, setting: 8x2@4}\nbudget: {epochs: 1}\n")
    assert read_grid(path).cells[0].norm.options == (("eps", 0.001),)


def test_a_grid_takes_the_options_of_optimisation_as_any_other():
    model = {"optimizer": "AdamW", "lr": 0.001, "layer_decay": 0.75, "warmup_epochs": 1, "ema": 0.99}
    model |= {"early_stopping": 3, "arch_options": {"stochastic_depth": 0.1}}
    grid = make_grid({**CONTENT, "fit": {"model": model}})
    check_known(grid)
    assert all(grid.base["model"][name] == value for name, value in model.items())


def test_a_norm_may_have_options_of_fit_that_only_its_cells_have():
    slow = {"name": "gn", "variant": "lr 0.01", "fit": {"model": {"lr": 0.01, "arch_options": {"dropout": 0.1}}}}
    fit = {"model": {"lr": 0.1, "arch_options": {"width": 8}}}
    grid = _grid(axes={**AXES, "norm": ["gn", slow], "batch_size": 8, "clip": "8x2"}, fit=fit)
    check_known(grid)
    plain, varied = grid.cells
    assert plain.fit_config(grid.base)["model"]["lr"] == 0.1
    assert varied.fit_config(grid.base)["model"]["lr"] == 0.01
    assert varied.fit_config(grid.base)["model"]["arch_options"] == {"width": 8, "dropout": 0.1}
    assert plain.name == "gn_8x2_batch8_3epochs_seed0"
    assert varied.name == "gn-lr-0.01_8x2_batch8_3epochs_seed0"
    assert [cell.norm.label for cell in grid.cells] == ["GN", "GN, lr 0.01"]
    assert Cell.read(json.loads(json.dumps(asdict(varied)))) == varied


@pytest.mark.parametrize("other", ["lr 0.1", "lr-0.1"])
def test_two_norms_may_not_share_a_folder(other):
    """They would share a result, too."""
    rates = [("lr 0.1", 0.1), (other, 1)]
    norms = [{"name": "gn", "variant": name, "fit": {"model": {"lr": lr}}} for name, lr in rates]
    with pytest.raises(ValueError, match=r"two norms have cells of one name, gn-lr-0\.1_8x2_"):
        _with_axes(norm=norms)


def test_multigrid_follows_the_options_of_a_norms_own_cells():
    small = {"name": "gn", "variant": "small", "fit": {"model": {"crop_size": 64, "milestones": [0.3]}}}
    grid = _with_axes(norm=[small], schedule="multigrid")
    cycles = grid.cells[0].cycles(grid.base)
    assert (cycles.crop_size, cycles.milestones) == (64, (0.3,))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"fit": {"model": {"lr": 0.01}}}, "norm gn with options of fit needs a variant, which names it in the report"),
        ({"variant": "a", "fit": {"model": {"norm": "bn"}}}, "model.norm cannot be set .* decided by the axis norm"),
        ({"variant": "a", "fit": {"model": {"rate": 1}}}, "option of model must be .* got 'rate'"),
        ({"variant": "a", "fit": {"models": {"lr": 1}}}, "section of `videogn fit` must be .* got 'models'"),
        ({"variant": "a", "fit": 3}, "fit must be"),
        ({"variant": ["a"], "fit": {"model": {"lr": 1}}}, r"variant of norm gn must be one value, got \['a'\]"),
        (
            {"variant": "a", "fit": {"model": {"init_from": "a.pth"}}},
            "model.init_from cannot be set for the cells of norm gn: it is decided by the axis init",
        ),
        (
            {"variant": "a", "fit": {"model": {"arch_options": {"memory_mode": "lean"}}}},
            "memory_mode cannot be set for the cells of norm gn: it is decided by the axis memory_mode",
        ),
        ({"variant": "a", "fit": {"trainer": {"devices": 2}}}, "trainer.devices cannot be set .* decided by devices"),
    ],
)
def test_wrong_options_of_a_norm_are_refused(entry, message):
    with pytest.raises(ValueError, match=message):
        check_known(_with_axes(norm=[{"name": "gn", **entry}]))
