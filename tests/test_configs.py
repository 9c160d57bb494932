"""Every shipped configuration is parsed against the real signatures, and holds what it says it holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from videogn.cli.ablation import IMAGES, VIDEOS
from videogn.study import read_grid

ROOT = Path(__file__).resolve().parents[1]
GRIDS = sorted((ROOT / "configs" / "study").glob("*.yaml"))
CONFIGS = sorted(set((ROOT / "configs").rglob("*.yaml")) - set(GRIDS))
KINETICS = ROOT / "configs" / "kinetics400"
CELLS = [(norm, *setting) for norm in ("bn", "gn") for setting in ((32, 2, 8), (32, 2, 4), (64, 1, 4))]


def _parse(videogn, capsys, *configs: Path) -> dict:
    assert videogn("fit", *(f"--config={config}" for config in configs), "--print_config") == 0
    return yaml.safe_load(capsys.readouterr().out)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: str(path.relative_to(ROOT / "configs")))
def test_it_parses(videogn, capsys, config):
    printed = _parse(videogn, capsys, config)
    given = yaml.safe_load(config.read_text())
    for section, values in given.items():
        if isinstance(values, dict):
            for name, value in values.items():
                assert _holds(_plain(printed[section][name]), value), f"{section}.{name}"
        else:
            assert printed[section] == values


@pytest.mark.parametrize(("norm", "length", "interval", "batch"), CELLS)
def test_every_cell_of_table_8_is_there(videogn, capsys, norm, length, interval, batch):
    cell = KINETICS / f"{norm}_{length}x{interval}_bs{batch}.yaml"
    printed = _parse(videogn, capsys, KINETICS / "base.yaml", cell)
    model, data, trainer = printed["model"], printed["data"], printed["trainer"]
    assert (model["norm"], model["clip_length"], model["interval"], data["batch_size"]) == (
        norm,
        length,
        interval,
        batch,
    )
    assert model["arch"] == "i3d_r50"
    # 8 clips on 8 GPUs take lr 0.01, 4 take 0.005, by linear scaling from base_batch.
    clips = batch * trainer["devices"]
    assert model["lr"] * clips / model["base_batch"] == pytest.approx(0.01 if batch == 8 else 0.005)
    assert trainer["sync_batchnorm"] is False


def test_no_cell_is_left_over():
    assert len(list(KINETICS.glob("*.yaml"))) == len(CELLS) + 2  # base.yaml and one_gpu.yaml


def test_one_gpu_takes_steps_of_as_many_clips(videogn, capsys):
    cell = KINETICS / "gn_64x1_bs4.yaml"
    clips = []
    for more in ([], [KINETICS / "one_gpu.yaml"]):
        printed = _parse(videogn, capsys, KINETICS / "base.yaml", cell, *more)
        trainer = printed["trainer"]
        clips.append(printed["data"]["batch_size"] * trainer["devices"] * trainer["accumulate_grad_batches"])
    assert clips == [32, 32]


def test_left_and_right_are_not_mirrored_in_the_motion_data_set(videogn, capsys):
    assert _parse(videogn, capsys, ROOT / "configs" / "motion.yaml")["data"]["flip"] == 0


@pytest.mark.parametrize("grid", GRIDS, ids=lambda path: path.stem)
def test_cells_of_every_grid_are_what_fit_takes(videogn, capsys, tmp_path, grid):
    grid = read_grid(grid)
    for cell in (grid.cells[0], grid.cells[-1]):
        (tmp_path / "fit.yaml").write_text(yaml.safe_dump(cell.fit_config(grid.base)))
        printed = _parse(videogn, capsys, tmp_path / "fit.yaml")
        model, data, trainer = printed["model"], printed["data"], printed["trainer"]
        assert (model["norm"], model["clip_length"], model["interval"]) == (
            cell.norm.name,
            cell.clip_length,
            cell.interval,
        )
        assert (model["norm_options"] or {}, model["init_from"]) == (dict(cell.norm.options), cell.init)
        assert (data["batch_size"], trainer["accumulate_grad_batches"]) == (cell.batch_size, cell.accumulate)


def test_the_grid_of_table_8_is_its_configurations(videogn, capsys, tmp_path):
    """The study and the files of its cells say the same."""
    grid = read_grid(ROOT / "configs" / "study" / "kinetics400_table8.yaml")
    assert [(c.norm.name, *c.setting) for c in sorted(grid.cells, key=lambda c: c.norm.name)] == CELLS
    for cell in grid.cells:
        length, interval, batch = cell.setting
        own = KINETICS / f"{cell.norm.name}_{length}x{interval}_bs{batch}.yaml"
        (tmp_path / "fit.yaml").write_text(yaml.safe_dump(cell.fit_config(grid.base)))
        one = _parse(videogn, capsys, tmp_path / "fit.yaml")
        other = _parse(videogn, capsys, KINETICS / "base.yaml", own)
        for section, key in (("model", "lr"), ("model", "init_from"), ("data", "batch_size"), ("trainer", "devices")):
            assert one[section][key] == other[section][key]
        assert one["trainer"]["max_epochs"] == other["trainer"]["max_epochs"]


def test_scripts_have_a_grid_for_each_data_set():
    names = [path.stem.removeprefix("ablate_") for path in (ROOT / "scripts").glob("ablate_*.py")]
    assert sorted(names) == ["batch_size", "clip_length", "groups", "image_batch", "image_groups", "image_norm", "norm"]
    for name in names:
        data_sets = IMAGES if name.startswith("image_") else VIDEOS
        assert {f"{data}_{name}" for data in data_sets} <= {grid.stem for grid in GRIDS}


def _holds(printed, given):
    """Whether what was parsed is what a file says, beside defaults of a class that it names."""
    if isinstance(given, dict):
        return all(name in printed and _holds(printed[name], value) for name, value in given.items())
    return printed == given


def _plain(value):
    return list(value) if isinstance(value, tuple) else value
