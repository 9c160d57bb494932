"""Cells, their commands and their files."""

from __future__ import annotations

import csv

import pytest
import yaml

from videogn.study.cells import (
    Cell,
    CellResult,
    Recipe,
    evaluation_command,
    grid,
    parse_setting,
    planned_epochs,
    read_results,
    validation_errors,
)
from videogn.study.demo import demo_cells, demo_recipe

CELL = Cell("gn", 32, 2, 4, seed=1)


@pytest.mark.parametrize(
    ("text", "expected"), [("32x2@8", (32, 2, 8)), ("64x1@4", (64, 1, 4)), ("8x10@16", (8, 10, 16))]
)
def test_settings(text, expected):
    assert parse_setting(text) == expected


@pytest.mark.parametrize("text", ["32x2", "32@8", "32x2@0", "0x2@8", "32x2@8 ", "-8x2@8", "axb@c", ""])
def test_wrong_settings(text):
    with pytest.raises(ValueError, match="LENGTHxINTERVAL@BATCH"):
        parse_setting(text)


def test_the_grid_has_every_combination_once():
    cells = grid(["bn", "gn"], [(32, 2, 8), (64, 1, 4), (32, 2, 8)], [0, 1])
    assert len(cells) == len(set(cells)) == 2 * 2 * 2
    assert len({cell.name for cell in cells}) == len(cells)


def test_the_fit_command_sets_what_the_cell_is(tmp_path):
    command = Recipe(("a.yaml",), ("--model.lr=1",), step_clips=16).fit_command(CELL, tmp_path)
    assert command[1:4] == ["-m", "videogn", "fit"]
    options = dict(option.removeprefix("--").split("=", 1) for option in command[4:])
    expected = {
        "config": "a.yaml",
        "seed_everything": "1",
        "model.lr": "1",
        "model.norm": "gn",
        "model.clip_length": "32",
        "model.interval": "2",
        "data.batch_size": "4",
        "trainer.accumulate_grad_batches": "4",
    }
    assert expected.items() <= options.items()
    # The cell's own settings come last: a recipe cannot change them by accident.
    assert command.index("--model.lr=1") < command.index("--model.norm=gn")


def test_accumulation_is_left_to_the_configuration_unless_asked_for(tmp_path):
    """configs/kinetics400/one_gpu.yaml accumulates; a study must not switch that off."""
    assert not [option for option in Recipe().fit_command(CELL, tmp_path) if "accumulate" in option]


def test_each_norm_can_start_from_weights_of_its_own(tmp_path):
    recipe = Recipe(init_from=(("bn", "torchvision:V1"), ("gn", "R-50-GN.pkl")))
    assert "--model.init_from=R-50-GN.pkl" in recipe.fit_command(CELL, tmp_path)
    assert "--model.init_from=torchvision:V1" not in recipe.fit_command(CELL, tmp_path)
    assert recipe.fingerprint() != Recipe().fingerprint()


def test_step_clips_must_be_a_multiple_of_the_batch():
    with pytest.raises(ValueError, match="got 6 and batch 4"):
        Recipe(step_clips=6).accumulate(CELL)
    assert Recipe().accumulate(CELL) == 1


def test_the_fingerprint_follows_the_contents_of_the_configuration(tmp_path):
    config = tmp_path / "a.yaml"
    config.write_text("model:\n  lr: 1\n")
    recipe = Recipe((str(config),))
    before = recipe.fingerprint()
    assert before == recipe.fingerprint()
    config.write_text("model:\n  lr: 2\n")
    assert recipe.fingerprint() != before
    assert Recipe((str(config),), ("--x",)).fingerprint() != recipe.fingerprint()


def test_results_survive_the_file(tmp_path):
    result = CellResult(CELL, "abc", (0.9, 0.5), {"over_all": {"top1": 0.5}}, 12.5, (("fit",), ("test",)))
    result.write(tmp_path / "one")
    (tmp_path / "unfinished").mkdir()
    assert CellResult.read(tmp_path / "one") == result
    assert CellResult.read(tmp_path / "unfinished") is None
    assert read_results(tmp_path) == [result]


def test_no_results(tmp_path):
    with pytest.raises(ValueError, match="no finished cell"):
        read_results(tmp_path)


def test_the_curve_is_read_from_the_log_of_a_training(trained):
    with (trained / "metrics.csv").open() as lines:
        accuracies = [float(row["val/top1"]) for row in csv.DictReader(lines) if row["val/top1"]]
    assert validation_errors(trained) == tuple(1 - accuracy for accuracy in accuracies)
    assert len(accuracies) == 1
    assert planned_epochs(trained) == 1


def test_before_there_is_anything(tmp_path):
    assert validation_errors(tmp_path) == ()
    assert planned_epochs(tmp_path) is None


def test_the_demo_trains_as_the_motion_configuration_does(videogn, capsys, tmp_path, request):
    """The demo carries its settings itself, for installations without configs/; they must be those of the file."""
    root = request.config.rootpath
    recipe = demo_recipe(tmp_path, quick=False)
    printed = []
    for arguments in (recipe.arguments, [f"--config={root / 'configs' / 'motion.yaml'}", f"--data.root={tmp_path}"]):
        same = ["--model.clip_length=16", "--model.interval=1", "--data.batch_size=8", "--model.norm=gn"]
        assert videogn("fit", *arguments, *same, "--print_config") == 0
        printed.append(yaml.safe_load(capsys.readouterr().out))
    assert printed[0] == printed[1]


def test_the_demo_is_a_small_table_8():
    cells = demo_cells()
    assert [(c.norm, c.clip_length, c.interval, c.batch_size) for c in cells] == [
        ("bn", 8, 2, 8),
        ("gn", 8, 2, 8),
        ("bn", 8, 2, 2),
        ("gn", 8, 2, 2),
        ("bn", 16, 1, 2),
        ("gn", 16, 1, 2),
    ]
    assert {demo_recipe("x", quick=True).accumulate(cell) * cell.batch_size for cell in cells} == {8}


def test_the_evaluation_command_takes_everything_from_the_training(tmp_path):
    command = evaluation_command(tmp_path)
    assert f"--config={tmp_path / 'config.yaml'}" in command
    assert f"--ckpt_path={tmp_path / 'checkpoints' / 'last.ckpt'}" in command
